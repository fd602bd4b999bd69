using SparseFrontier.Tasks;

namespace SparseFrontier.Tests.Tasks;

/// <summary>Encoders that stand in for a model's tokenizer and chat template.</summary>
internal static class TestEncoders
{
    public const int StopId = 999_999;

    /// <summary>Runs of letters or digits, of white space, or single other characters, each at most <paramref name="run"/> characters, with a chat template around.</summary>
    public static PromptEncoder Runs(int run = 4) => new(
        text => Encode(text, run),
        prompt => $"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n",
        token => token == "<|im_end|>" ? StopId : null);

    private static int[] Encode(string text, int run)
    {
        var ids = new List<int>(text.Length / 2);
        for (int i = 0; i < text.Length;)
        {
            int start = i;
            int kind = Kind(text[i]);
            int id = 0;
            do
            {
                id = (id * 31) + text[i++];
            }
            while (i < text.Length && i - start < run && kind < 2 && Kind(text[i]) == kind);
            ids.Add(id & 0xFFFFF);
        }

        return [.. ids];
    }

    private static int Kind(char c) => char.IsAsciiLetterOrDigit(c) ? 0 : char.IsWhiteSpace(c) ? 1 : 2;
}
