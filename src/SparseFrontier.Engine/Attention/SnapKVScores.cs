using SparseFrontier.Tensors;

namespace SparseFrontier.Attention;

/// <summary>What SnapKV and AdaSnapKV share: parameters of the observation window and the pooling of its attention.</summary>
internal static class SnapKVScores
{
    public const string Window = "Window";
    public const string KernelSize = "KernelSize";

    public static readonly MethodParameter[] Parameters =
    [
        new(Window, 256, 1, 1 << 20, true, "Last queries of the prompt that importance is estimated from; all of them in a shorter prompt."),
        new(KernelSize, 21, 1, 1 << 20, true, "Tokens that importance is averaged over; odd."),
    ];

    /// <summary>Refuses an even kernel, which has no middle.</summary>
    public static void Validate(string method, MethodParameters parameters)
    {
        if (parameters.Integer(KernelSize) % 2 == 0)
        {
            throw new SparseFrontierException(
                ErrorIds.MethodParameterInvalid,
                $"{method}: KernelSize = {parameters.Integer(KernelSize)} is even; the average is centred on a token and needs an odd number.",
                parameters[KernelSize]);
        }
    }

    /// <summary>Importance by KV head, the caller's own: <paramref name="observed"/> of a head's window and the number of tokens to average over.</summary>
    public static float[][] Create(PromptLayer layer, MethodParameters parameters, Func<ObservationWindow, int, float[]> observed)
    {
        ObservationWindow[] heads = ObservationWindow.Of(layer, parameters.Integer(Window));
        float[][] scores = new float[heads.Length][];
        WorkerPool.For(heads.Length, head => scores[head] = [.. observed(heads[head], parameters.Integer(KernelSize))]);
        return scores;
    }
}
