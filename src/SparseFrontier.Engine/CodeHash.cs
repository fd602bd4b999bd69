using System.Buffers.Binary;
using System.Reflection;
using System.Reflection.Emit;
using System.Security.Cryptography;
using System.Text;

namespace SparseFrontier;

/// <summary>Names a user's own code by its content, as part of a run's identity: other code, other run.</summary>
public static class CodeHash
{
    private static readonly Dictionary<ushort, OpCode> s_opCodes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(f => (OpCode)f.GetValue(null)!).ToDictionary(o => unchecked((ushort)o.Value));

    /// <summary>SHA-256 of a text, line ends and outer white space aside.</summary>
    public static string Of(string text) => Hash(text.ReplaceLineEndings("\n").Trim());

    /// <summary>
    /// SHA-256 of the assembly file that a class comes from; of an assembly made in memory, of the instructions of all its methods with the
    /// names of what they use, so that compiling the same source again gives the same hash.
    /// </summary>
    public static string Of(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        string file = type.Assembly.Location;
        if (file.Length > 0)
        {
            return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{type.FullName}\n{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))}")));
        }

        var text = new StringBuilder(type.FullName).Append('\n');
        const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        foreach (Type member in type.Assembly.GetTypes().OrderBy(t => t.FullName, StringComparer.Ordinal))
        {
            text.Append(member.FullName).Append(" : ").Append(member.BaseType).Append('\n');
            foreach (MethodBase method in member.GetMethods(All).Cast<MethodBase>().Concat(member.GetConstructors(All)).OrderBy(m => m.ToString(), StringComparer.Ordinal))
            {
                text.Append(method).Append('\n');
                Append(text, method);
            }
        }

        return Hash(text.ToString());
    }

    private static void Append(StringBuilder text, MethodBase method)
    {
        byte[] code = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        for (int at = 0; at < code.Length;)
        {
            ushort value = code[at] == 0xFE ? (ushort)((0xFE << 8) | code[at + 1]) : code[at];
            at += code[at] == 0xFE ? 2 : 1;
            OpCode instruction = s_opCodes[value];
            text.Append(instruction.Name).Append(' ');
            int size = OperandSize(instruction, code.AsSpan(at));
            text.Append(instruction.OperandType switch
            {
                // Tokens are numbers of this compilation; what they stand for is not.
                OperandType.InlineString => method.Module.ResolveString(BinaryPrimitives.ReadInt32LittleEndian(code.AsSpan(at))),
                OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok => Resolve(method, BinaryPrimitives.ReadInt32LittleEndian(code.AsSpan(at))),
                _ => Convert.ToHexStringLower(code.AsSpan(at, size)),
            }).Append('\n');
            at += size;
        }
    }

    private static string Resolve(MethodBase method, int token)
    {
        Type[] typeArguments = method.DeclaringType is { IsGenericType: true } declaring ? declaring.GetGenericArguments() : [];
        MemberInfo? member = method.Module.ResolveMember(token, typeArguments, method.IsGenericMethod ? method.GetGenericArguments() : []);
        return $"{member?.DeclaringType}::{member}";
    }

    private static int OperandSize(OpCode instruction, ReadOnlySpan<byte> operand) => instruction.OperandType switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        OperandType.InlineSwitch => 4 + (4 * BinaryPrimitives.ReadInt32LittleEndian(operand)),
        _ => 4,
    };

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
