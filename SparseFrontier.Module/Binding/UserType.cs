using System.Reflection;

namespace SparseFrontier.Binding;

/// <summary>Makes an object of a user's class.</summary>
internal static class UserType
{
    /// <summary>The object.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: not such a class, or it cannot be made.</exception>
    public static T Create<T>(Type type)
        where T : class
    {
        if (!typeof(T).IsAssignableFrom(type) || type.IsAbstract || type.GetConstructor(Type.EmptyTypes) is null)
        {
            throw new SparseFrontierException(
                ErrorIds.ParameterInvalid, $"{type.FullName} is no class that derives from {typeof(T).FullName} and has a constructor without parameters.", type);
        }

        try
        {
            return (T)Activator.CreateInstance(type)!;
        }
        catch (TargetInvocationException e)
        {
            throw new SparseFrontierException(ErrorIds.ParameterInvalid, $"{type.FullName} cannot be made: its constructor failed with {e.InnerException?.Message}", type, e.InnerException);
        }
    }
}
