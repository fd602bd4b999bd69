using SparseFrontier.Tasks;

namespace SparseFrontier.Tests.Tasks;

/// <summary>Encoders that stand in for a model's tokenizer and chat template.</summary>
internal static class TestEncoders
{
    public const int StopId = 999_999;

    /// <summary>
    /// A chat template, and tokens that are runs of at most <paramref name="run"/> letters and digits with the blank before them, or single
    /// other characters.
    /// </summary>
    public static PromptEncoder Runs(int run = 6) => new(
        text => Encode(text, run),
        prompt => $"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n",
        token => token == "<|im_end|>" ? StopId : null);

    private static int[] Encode(string text, int run)
    {
        var ids = new List<int>(text.Length / 2);
        for (int i = 0; i < text.Length;)
        {
            int id = text[i++];
            int letters = char.IsAsciiLetterOrDigit((char)id) ? 1 : 0;
            if (letters == 1 || id == ' ')
            {
                for (; i < text.Length && letters < run && char.IsAsciiLetterOrDigit(text[i]); letters++)
                {
                    id = (id * 31) + text[i++];
                }
            }

            ids.Add(id & 0xFFFFF);
        }

        return [.. ids];
    }
}
