using SparseFrontier.Attention;

namespace SparseFrontier.Experiments;

/// <summary>What a row's methods are called together.</summary>
internal static class MethodNames
{
    /// <summary>"Dense", "VerticalSlash", "Quest" or "VerticalSlash + Quest".</summary>
    public static string Of(SparseAttentionResult row) => Of(row.Method, row.DecodeMethod);

    /// <summary>"Dense", "VerticalSlash", "Quest" or "VerticalSlash + Quest".</summary>
    public static string Of(string method, string decodeMethod)
    {
        bool densePrefill = MethodRegistry.IsDense(method);
        bool denseDecode = MethodRegistry.IsDense(decodeMethod);
        return denseDecode ? (densePrefill ? "Dense" : method) : densePrefill ? decodeMethod : $"{method} + {decodeMethod}";
    }
}
