using System.CommandLine;
using SparseFrontier.Models.Transformer;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier model verify</c>: exit code 1 when a checkpoint does not compute what another implementation computed.</summary>
internal static class ModelVerifyVerb
{
    public static Command Create()
    {
        var directory = new Argument<string>("DIR") { Description = "Checkpoint directory." };
        var golden = new Option<string>("--golden") { Description = "Safetensors file with input_ids, logits and greedy of another implementation.", HelpName = "golden.safetensors", Required = true };
        var tolerance = new Option<double>("--tolerance") { Description = "Largest |logit difference| allowed.", HelpName = "x", DefaultValueFactory = _ => ModelVerification.DefaultTolerance };
        return new Command("verify", "Compares a checkpoint's logits and greedy continuation with another implementation's.") { directory, golden, tolerance }.Does((parsed, sink, token) =>
        {
            ModelVerificationResult result = ModelVerification.Verify(parsed.GetRequiredValue(directory), parsed.GetRequiredValue(golden), parsed.GetValue(tolerance), token);
            sink.Object(result);
            foreach (ModelVerificationResult kept in sink.Objects.OfType<ModelVerificationResult>())
            {
                sink.Visible.WriteLine(kept);
            }

            if (!result.Passed)
            {
                sink.Fail($"{result.Model} does not match {result.GoldenPath}.");
            }
        });
    }
}
