using System.Text.RegularExpressions;
using SparseFrontier.Tasks;
using Xunit;

namespace SparseFrontier.Tests.Tasks;

/// <summary>Whether held-out words, templates and difficulties are kept from training, and still make samples whose target scores 1.</summary>
public class HeldOutTests
{
    private static readonly PromptEncoder s_encoder = TestEncoders.Runs();

    public static TheoryData<string> Tasks => ["Niah", "VariableTracking", "CommonWords", "StoryRetrieval", "StoryMultiHop", "StoryFiltering"];

    [Theory]
    [MemberData(nameof(Tasks))]
    public void Training_is_refused_what_is_held_out(string name)
    {
        EvaluationTask task = TaskRegistry.Find(name);
        Assert.Equal(2, task.Parameters.Count(p => p.HeldOutFrom is not null)); // material and a difficulty
        foreach (TaskParameter parameter in task.Parameters.Where(p => p.HeldOutFrom is not null))
        {
            Assert.True(parameter.Default < parameter.HeldOutFrom);
            Assert.Equal(
                ErrorIds.ParameterInvalid,
                Assert.Throws<SparseFrontierException>(() => Open(task, "training", (parameter.Name, parameter.HeldOutFrom!.Value))).ErrorId);
            Open(task, "training", (parameter.Name, parameter.HeldOutFrom!.Value - 1));
            Open(task, "evaluation", (parameter.Name, parameter.HeldOutFrom!.Value));
        }
    }

    [Theory]
    [MemberData(nameof(Tasks))]
    public void A_held_out_sample_can_be_solved_and_shares_no_answer_and_no_sentence_with_others(string name)
    {
        EvaluationTask task = TaskRegistry.Find(name);
        string difficulty = task.Parameters.Single(p => p.HeldOutFrom is not null && p.Name != "HeldOut").Name;
        double hard = task.Parameters.Single(p => p.Name == difficulty).HeldOutFrom!.Value;
        for (int material = 0; material <= 3; material++)
        {
            TaskSource source = Open(task, "evaluation", ("HeldOut", material), (difficulty, hard));
            for (int i = 0; i < 3; i++)
            {
                TaskSample sample = source.Generate(i);
                Assert.Equal(1, task.Score(sample.GoldJson, sample.TargetResponse).Score);
                string context = sample.Prompt.Split("<context>\n")[1].Split("\n</context>")[0];
                if (name != "StoryFiltering") // whose answers are numbers
                {
                    Assert.Equal((material & 1) == 1, !Regex.IsMatch(sample.GoldJson, SeenWords(name)));
                }

                Assert.Equal((material & 2) == 2, !Regex.IsMatch(context, SeenSentence(name)));
            }
        }
    }

    [Fact]
    public void Held_out_lists_are_disjoint_from_those_of_training()
    {
        Assert.Empty(Vocabulary.HeldOutWords.Intersect(Vocabulary.Words));
        Assert.InRange(Vocabulary.HeldOutWords.Distinct().Count(), 9_000, Vocabulary.HeldOutWords.Length);
        (StoryNames seen, StoryNames heldOut) = (StoryMaterial.Names, StoryHeldOut.Names);
        foreach (Func<StoryNames, string[]> list in (Func<StoryNames, string[]>[])
            [n => n.Locations, n => n.Characters, n => n.Events, n => n.ItemAdjectives, n => n.ItemMaterials, n => n.ItemTypes])
        {
            Assert.Equal(list(heldOut).Length, list(heldOut).Distinct().Count());
            Assert.Empty(list(heldOut).Intersect(list(seen)));
        }

        Assert.True(heldOut.ItemAdjectives.Length * heldOut.ItemMaterials.Length * heldOut.ItemTypes.Length > StoryGenerator.MaximumChapters);
        foreach (Func<StoryFacts, string[]> list in (Func<StoryFacts, string[]>[])[f => f.Arrival, f => f.Encounter, f => f.Purchase, f => f.Sale])
        {
            Assert.Empty(list(StoryHeldOut.Facts).Intersect(list(StoryMaterial.Facts)));
        }
    }

    private static TaskSource Open(EvaluationTask task, string split, params (string Name, double Value)[] parameters) => task.Open(
        new TaskOptions { SequenceLength = 32_768, Split = split, Parameters = parameters.ToDictionary(p => p.Name, p => p.Value) }, s_encoder);

    private static string SeenWords(string task) => task switch
    {
        "Niah" => "[a-z0-9]{8}-",
        "VariableTracking" => @"\b[A-Z]{5}\b",
        "CommonWords" => Any(Vocabulary.Words),
        _ => Any([.. StoryMaterial.Locations, .. StoryMaterial.Characters, .. StoryMaterial.ItemTypes]),
    };

    private static string SeenSentence(string task) => task switch
    {
        "Niah" => "The answer for ",
        "VariableTracking" => " = ",
        "CommonWords" => @"^1\. ",
        _ => Any([.. StoryMaterial.Purchase.Select(s => s.Split('{')[0].Trim()).Where(s => s.Length > 0), " bought "]),
    };

    private static string Any(IEnumerable<string> words) => string.Join('|', words.Select(w => $@"\b{Regex.Escape(w.Trim())}\b"));
}
