using System.CommandLine;
using SparseFrontier.Experiments.Operations;
using SparseFrontier.Models.Transformer;

namespace SparseFrontier.Cli.Verbs;

/// <summary><c>sparsefrontier model verify</c>: exit code 1 when a checkpoint does not compute what another implementation computed.</summary>
internal static class ModelVerifyVerb
{
    public static Command Create()
    {
        var directory = new Argument<string>("DIR") { Description = "Checkpoint directory." };
        var golden = new Option<string>("--golden") { Description = "Safetensors file with input_ids, logits and greedy of another implementation.", HelpName = "golden.safetensors", Required = true };
        var tolerance = new Option<double?>("--tolerance")
        {
            Description = FormattableString.Invariant(
                $"Largest |logit difference| allowed; without it {ModelVerification.DefaultTolerance} on cpu, and on a GPU, which computes with 16 bits, {ModelVerification.DefaultDeviceTolerance} of the golden logits' root mean square."),
            HelpName = "x",
        };
        Option<string> device = Options.Text("--device", "Device to compute on: cpu or cuda:0.", "D", "cpu");
        return new Command("verify", "Compares a checkpoint's logits and greedy continuation with another implementation's.") { directory, golden, tolerance, device }.Does((parsed, sink, token) =>
        {
            ModelVerificationResult result = new VerifyModelOperation
            {
                Path = parsed.GetRequiredValue(directory),
                GoldenPath = parsed.GetRequiredValue(golden),
                Tolerance = parsed.GetValue(tolerance),
                Device = parsed.GetValue(device)!,
            }.Execute(sink, token);
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
