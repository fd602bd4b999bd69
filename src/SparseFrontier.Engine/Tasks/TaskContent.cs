namespace SparseFrontier.Tasks;

/// <summary>A sample of a user's own task.</summary>
/// <param name="Context">What the model reads.</param>
/// <param name="Question">What it is asked.</param>
/// <param name="Answer">The right answer.</param>
public sealed record ContentSample(string Context, string Question, string Answer);

/// <summary>A user's own task: derive from it, make samples, and register the class.</summary>
public abstract class TaskContent
{
    /// <summary>Makes a sample. The context must grow with the number of units and be the same for the same seed and number.</summary>
    /// <param name="seed">Different for every sample.</param>
    /// <param name="units">Lines, sentences or whatever the context is made of, at least 1; the length of the prompt decides how many.</param>
    public abstract ContentSample Create(int seed, int units);

    /// <summary>Scores what stands between the answer tags of a response, 0 to 1; by default whether it is the answer, case and white space aside.</summary>
    /// <param name="answer">The right answer.</param>
    /// <param name="given">The model's.</param>
    public virtual double Score(string answer, string given) => AnswerParsing.Simplify(answer) == AnswerParsing.Simplify(given) ? 1 : 0;
}
