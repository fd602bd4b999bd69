namespace SparseFrontier.Experiments;

/// <summary>Names of users' own methods and tasks: like the others', because they stand in tables, folders' names and parameter texts.</summary>
internal static class UserName
{
    /// <summary>Refuses a name that is not letters and digits, a letter first.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid.</exception>
    public static void Require(string name, string kind)
    {
        if (name.Length == 0 || !char.IsAsciiLetter(name[0]) || !name.All(char.IsAsciiLetterOrDigit))
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"'{name}' cannot name a {kind}: a name is letters and digits, a letter first, such as MyMethod.", name);
        }
    }
}
