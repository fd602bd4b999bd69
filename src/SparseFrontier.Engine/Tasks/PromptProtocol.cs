using System.Text;

namespace SparseFrontier.Tasks;

/// <summary>What a task says in the sections of its prompt; the sections' order is the protocol's.</summary>
internal sealed record PromptWording
{
    /// <summary>Whether several questions are asked at once.</summary>
    public bool Plural { get; init; }

    /// <summary>What the context is and what is asked.</summary>
    public required string Introduction { get; init; }

    /// <summary>The exact format of an answer.</summary>
    public required string AnswerFormat { get; init; }

    /// <summary>The task's own entries of the list of important points.</summary>
    public IReadOnlyList<string> Important { get; init; } = [];

    /// <summary>The introduction under <see cref="TaskOptions.ShortInstructions"/>.</summary>
    public required string ShortIntroduction { get; init; }

    /// <summary>The answer format under <see cref="TaskOptions.ShortInstructions"/>.</summary>
    public required string ShortAnswerFormat { get; init; }
}

/// <summary>A prompt before the chat template, and where its context ends (a character index).</summary>
internal readonly record struct ComposedPrompt(string Text, int ContextEnd);

/// <summary>
/// The prompt of every task (paper, section 3.5), in this order: introduction; where the question will be shown; question; context; question
/// again; two-step instruction; answer format; structure of the response; important points. The explanation comes before the answer so that
/// a method with a dense prefill cannot take the answer from its first token.
/// </summary>
internal sealed class PromptProtocol
{
    private readonly string _head;
    private readonly string _questionOpen;
    private readonly string _questionClose;
    private readonly string _tail;
    private readonly string _gap;
    private readonly bool _first;
    private readonly bool _last;

    public PromptProtocol(PromptWording wording, TaskOptions options)
    {
        _first = options.QuestionPosition is QuestionPosition.Both or QuestionPosition.First;
        _last = options.QuestionPosition is QuestionPosition.Both or QuestionPosition.Last;
        string tag = wording.Plural ? "questions" : "question";
        _gap = options.ShortInstructions ? "\n" : "\n\n";
        _questionOpen = $"<{tag}>\n";
        _questionClose = $"\n</{tag}>";
        _head = options.ShortInstructions ? ShortHead(wording, options.QuestionPosition) : FullHead(wording, options.QuestionPosition);
        _tail = options.ShortInstructions ? ShortTail(wording) : FullTail(wording);
    }

    /// <summary>The prompt of a question and a context.</summary>
    public ComposedPrompt Compose(string question, string context)
    {
        var text = new StringBuilder(_head.Length + _tail.Length + (2 * question.Length) + context.Length + 128);
        text.Append(_head).Append(_gap);
        if (_first)
        {
            text.Append(_questionOpen).Append(question).Append(_questionClose).Append(_gap);
        }

        text.Append("<context>\n").Append(context).Append("\n</context>");
        int contextEnd = text.Length;
        text.Append(_gap);
        if (_last)
        {
            text.Append(_questionOpen).Append(question).Append(_questionClose).Append(_gap);
        }

        return new ComposedPrompt(text.Append(_tail).ToString(), contextEnd);
    }

    /// <summary>A further question on the context of a prompt, as a later message shows it: in its tags, without instructions.</summary>
    public string Ask(string question) => _questionOpen + question + _questionClose;

    /// <summary>A response in the format that the prompt asks for.</summary>
    public static string Response(string explanation, string answer) =>
        $"<explanation>\n{explanation}\n</explanation>\n\n<answer>\n{answer}\n</answer>";

    private static string FullHead(PromptWording wording, QuestionPosition position)
    {
        string shown = wording.Plural ? "The questions are shown" : "The question is shown";
        string where = position switch
        {
            QuestionPosition.First => "once, before the context",
            QuestionPosition.Last => "once, after the context",
            _ => "twice, before and after the context",
        };
        return $"{wording.Introduction}\n\n{shown} {where}.";
    }

    private static string ShortHead(PromptWording wording, QuestionPosition position)
    {
        string where = position switch
        {
            QuestionPosition.First => "before the context",
            QuestionPosition.Last => "after the context",
            _ => "before and after the context",
        };
        return $"{wording.ShortIntroduction}\n{(wording.Plural ? "Questions" : "Question")} {where}.";
    }

    private static string FullTail(PromptWording wording)
    {
        var text = new StringBuilder();
        string which = wording.Plural ? "the questions" : "the question";
        text.Append("Respond in two steps:\n")
            .Append("1. Explain in a few words how the context answers ").Append(which).Append(".\n")
            .Append("2. Give the final answer in exactly the format described next.\n\n")
            .Append("Answer format:\n").Append(wording.AnswerFormat).Append("\n\n")
            .Append("The whole response has this structure, with both tags:\n")
            .Append("<explanation>\nthe short explanation\n</explanation>\n\n<answer>\nthe final answer in the answer format\n</answer>\n\n")
            .Append("Important:\n");
        foreach (string point in wording.Important)
        {
            text.Append("- ").Append(point).Append('\n');
        }

        return text.Append("- Be concise: the explanation takes a few sentences at most.\n")
            .Append("- Between <answer> and </answer> write the final answer and nothing else.")
            .ToString();
    }

    private static string ShortTail(PromptWording wording) =>
        $"Explain, then answer:\n{wording.ShortAnswerFormat}\n<explanation>...</explanation>\n<answer>...</answer>";
}
