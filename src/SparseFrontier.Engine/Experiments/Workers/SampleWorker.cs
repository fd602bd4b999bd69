using System.Collections.Concurrent;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using SparseFrontier.Attention;
using SparseFrontier.Experiments.Workers;
using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments;

/// <summary>
/// The other end of a run whose samples are spread over GPUs: a process that loads the model on one of them and computes what it is told. It writes no files: rows go
/// back through the pipe, and whoever started it puts them on the disk. It ends with the pipe.
/// </summary>
public static class SampleWorker
{
    /// <summary>Argument of the command line's program that makes it a worker; the pipe's name follows.</summary>
    public const string Argument = "--sample-worker";

    private const int ConnectMilliseconds = 10_000;

    /// <summary>Serves until the pipe is closed.</summary>
    /// <param name="pipe">Name of the pipe.</param>
    /// <returns>Exit code of the process.</returns>
    public static int Serve(string pipe) => Serve(pipe, new TransformerEngineFactory());

    /// <summary>Serves with other models.</summary>
    internal static int Serve(string pipe, EngineFactory engines)
    {
        // Ctrl-C reaches every process of the terminal; the one that the user started decides what it means.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var stream = new NamedPipeClientStream(".", pipe, PipeDirection.InOut, PipeOptions.Asynchronous | PipeOptions.CurrentUserOnly);
        stream.Connect(ConnectMilliseconds);
        var requests = new BlockingCollection<WorkerRequest>();
        var reader = new Thread(() => Read(stream, requests)) { IsBackground = true, Name = "Requests" };
        reader.Start();
        using var writer = new StreamWriter(stream, new UTF8Encoding(false)) { NewLine = "\n", AutoFlush = true };
        using var session = new Session(engines, reply => writer.WriteLine(JsonSerializer.Serialize(reply, StoreJson.Line)));
        foreach (WorkerRequest request in requests.GetConsumingEnumerable())
        {
            try
            {
                session.Answer(request);
                if (requests.Count == 0)
                {
                    // Nothing more can run beside it.
                    session.Drain();
                }
            }
            catch (SparseFrontierException e) when (e.ErrorId == ErrorIds.DeviceFailed)
            {
                // The device's state is lost for this process; another one begins with a new one.
                Console.Error.WriteLine(e.Message);
                Environment.Exit(1);
            }
        }

        return 0;
    }

    private static void Read(Stream stream, BlockingCollection<WorkerRequest> requests)
    {
        try
        {
            using var lines = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
            while (lines.ReadLine() is { } line)
            {
                requests.Add(JsonSerializer.Deserialize<WorkerRequest>(line, StoreJson.Line)!);
            }
        }
        catch (IOException)
        {
            // As the end of the pipe.
        }

        // Nobody takes rows any more, whatever is being computed.
        Environment.Exit(0);
    }

    private sealed class Session(EngineFactory engines, Action<WorkerReply> reply) : IDisposable
    {
        private readonly Dictionary<string, PlannedRun> _plans = [];
        private readonly Dictionary<PlannedRun, TaskSource> _sources = new(ReferenceEqualityComparer.Instance);
        private LocalExecutor? _executor;

        /// <summary>Begins a request; what it ends with may come with a later one.</summary>
        public void Answer(WorkerRequest request)
        {
            int number = request.Number;
            try
            {
                if (request.ModelDirectory is { } directory)
                {
                    _executor = new LocalExecutor(engines.Open(directory, request.Device), request.Device, request.BatchSize, CancellationToken.None);
                    reply(new WorkerReply { Number = number, Identity = _executor.Identity });
                    Done(number);
                }
                else if (request.CalibrationKey is { } key)
                {
                    _executor!.Calibrate(Plan(request.Jobs[0]), key, found => reply(new WorkerReply { Number = number, Calibration = found }), error => Fail(number, error));
                    Done(number);
                }
                else
                {
                    Compute(request);
                }
            }
            catch (SparseFrontierException e) when (e.ErrorId != ErrorIds.DeviceFailed)
            {
                Fail(number, e);
                Done(number);
            }
        }

        /// <summary>Computes what is under way to its end.</summary>
        public void Drain() => _executor?.Drain();

        public void Dispose() => _executor?.Dispose();

        private void Compute(WorkerRequest request)
        {
            int number = request.Number;
            SampleJob[] jobs = [.. request.Jobs.Select(Job)];
            PlannedRun any = jobs[0].Run;
            if (!_sources.TryGetValue(any, out TaskSource? source))
            {
                _sources[any] = source = any.Task.Open(any.TaskOptions, _executor!.Encoder);
            }

            int left = jobs.Length;
            _executor!.Run(
                source.Generate(request.Sample),
                jobs,
                () => new DenseReference(request.DenseExists, request.DenseTokens),
                (job, row) =>
                {
                    reply(new WorkerReply { Number = number, Job = Array.FindIndex(jobs, j => ReferenceEquals(j, job)), Row = row });
                    if (--left == 0)
                    {
                        Done(number);
                    }
                },
                error =>
                {
                    Fail(number, error);
                    Done(number);
                });
        }

        private void Done(int number) => reply(new WorkerReply { Number = number, IsDone = true });

        private void Fail(int number, SparseFrontierException failure) => reply(new WorkerReply
        {
            Number = number,
            ErrorId = failure.ErrorId,
            Message = failure.Message,
            MaximumFeasibleSparsity = (failure as BudgetInfeasibleException)?.MaximumFeasibleSparsity,
        });

        private SampleJob Job(WorkerJob job)
        {
            PlannedRun plan = Plan(job);
            return new SampleJob(plan, job.RunId, Parameters(plan.Prefill, job.Prefill), Parameters(plan.Decode, job.Decode));

            static MethodParameters? Parameters(AttentionMethod method, string? text) => text is null ? null : method.CreateParameters(text);
        }

        private PlannedRun Plan(WorkerJob job)
        {
            string key = JsonSerializer.Serialize(job.Run, StoreJson.Line);
            if (!_plans.TryGetValue(key, out PlannedRun? plan))
            {
                _plans[key] = plan = PlannedRun.Create(job.Run, engines);
            }

            return plan;
        }
    }
}
