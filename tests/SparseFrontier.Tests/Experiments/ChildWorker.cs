using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using SparseFrontier.Experiments;
using SparseFrontier.Experiments.Workers;

namespace SparseFrontier.Tests.Experiments;

/// <summary>Worker processes on the hash engine: this assembly, started with the argument that makes the command line a worker.</summary>
internal static class ChildWorker
{
    private const string Behaviour = "SPARSEFRONTIER_TEST_CHILD_WORKER";

    /// <summary>A worker that behaves well, or as said.</summary>
    /// <param name="behaviour">
    /// "die FILE": the first one that makes the file dies in the middle of a sample; "poison N": dies over prompts of more than N tokens; "fail N": these are errors;
    /// "refuse METHOD": fails where a decode method is among those asked for; "never": dies at once; "slow": takes its time.
    /// </param>
    public static WorkerProgram Program(string behaviour = "well") => new(
        Environment.ProcessPath!,
        Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
            ? [typeof(ChildWorker).Assembly.Location, SampleWorker.Argument, WorkerProgram.Pipe]
            : [SampleWorker.Argument, WorkerProgram.Pipe])
    {
        Environment = new Dictionary<string, string> { [Behaviour] = behaviour },
    };

#pragma warning disable CA2255 // The one way to take over before the test runner's own entry point.
    [ModuleInitializer]
    internal static void RunIfAsked()
#pragma warning restore CA2255
    {
        if (Environment.GetEnvironmentVariable(Behaviour) is not { Length: > 0 } behaviour)
        {
            return;
        }

        try
        {
            string[] words = behaviour.Split(' ');
            if (words[0] == "never")
            {
                Console.Error.WriteLine("no such luck");
                Environment.Exit(9);
            }

            int steps = 0;
            var engines = new HashEngineFactory
            {
                BeforeStep = () =>
                {
                    if (words[0] == "slow")
                    {
                        Thread.Sleep(1);
                    }

                    // Past the first rows of a sample that has many.
                    if (words[0] == "die" && ++steps == 60 && Made(words[1]))
                    {
                        using var self = Process.GetCurrentProcess();
                        self.Kill();
                    }
                },
                BeforeRequest = request =>
                {
                    if (words[0] == "refuse" && request.DecodeConfigurations.Any(c => c.Method.Name == words[1]))
                    {
                        throw new SparseFrontierException(ErrorIds.ParameterInvalid, "Not this one.");
                    }
                },
                BeforePrompt = length =>
                {
                    if (words[0] is "poison" or "fail" && length > int.Parse(words[1], CultureInfo.InvariantCulture))
                    {
                        if (words[0] == "fail")
                        {
                            throw new SparseFrontierException(ErrorIds.DeviceOutOfMemory, "Too long for this GPU.");
                        }

                        Environment.Exit(7);
                    }
                },
            };
            Environment.Exit(SampleWorker.Serve(Environment.GetCommandLineArgs()[^1], engines));
        }
        catch (Exception e)
        {
            Console.Error.WriteLine(e);
            Environment.Exit(3);
        }
    }

    private static bool Made(string file)
    {
        try
        {
            using FileStream made = new(file, FileMode.CreateNew);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
