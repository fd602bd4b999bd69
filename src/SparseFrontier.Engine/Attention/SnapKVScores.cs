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

    /// <summary>Importance by KV head: what <paramref name="observed"/> takes of the window's attention, averaged over neighbours.</summary>
    public static float[][] Create(PromptLayer layer, MethodParameters parameters, Func<ObservationWindow, float[]> observed) =>
        Array.ConvertAll(
            ObservationWindow.Of(layer, parameters.Integer(Window)),
            head => Pool(observed(head), parameters.Integer(KernelSize)));

    // Zeros beyond the ends count, so that the ends are damped.
    private static float[] Pool(float[] values, int size)
    {
        int reach = size / 2;
        float[] pooled = new float[values.Length];
        for (int i = 0; i < pooled.Length; i++)
        {
            float sum = 0;
            int end = Math.Min(values.Length - 1, i + reach);
            for (int j = Math.Max(0, i - reach); j <= end; j++)
            {
                sum += values[j];
            }

            pooled[i] = ScoreRounding.ToBFloat16(sum / size);
        }

        return pooled;
    }
}
