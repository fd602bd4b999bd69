namespace SparseFrontier.Experiments.Operations;

/// <summary>
/// Emits a <see cref="SparseAttentionPlan"/> for each specification. No model is loaded. Of the store only the times of what was measured on this machine are read, for the
/// seconds to expect; whether it holds the runs already is not looked up.
/// </summary>
public sealed class GetPlanOperation
{
    /// <summary>The runs.</summary>
    public required IReadOnlyList<RunSpecification> Specifications { get; init; }

    /// <summary>Folder of results; empty: <c>SPARSEFRONTIER_RESULTS</c>, else "results" in the current directory.</summary>
    public string ResultPath { get; init; } = "";

    /// <summary>How models are found.</summary>
    internal EngineFactory Engines { get; init; } = new TransformerEngineFactory();

    /// <summary>Plans the runs; a specification that is wrong is an error on the sink and not in the plan, several that are wrong in the same way are one error.</summary>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        var engines = new PlanningFactory(Engines);
        var specifications = new List<RunSpecification>();
        var runs = new List<PlannedRun>();
        var said = new HashSet<string>();
        foreach (RunSpecification specification in Specifications)
        {
            cancellationToken.ThrowIfCancellationRequested();
            try
            {
                runs.Add(PlannedRun.Create(specification, engines));
                specifications.Add(specification);
            }
            catch (SparseFrontierException e)
            {
                if (said.Add(e.Message))
                {
                    sink.Error(e);
                }
            }
        }

        var tooShort = new HashSet<string>();
        foreach (SparseAttentionPlan plan in RunPlanner.Plan(specifications, runs, engines, RunTimes.Read(ResultPath)))
        {
            // A budget is infeasible by its number; why a length holds no sample only the message tells, and it is the same for every method.
            if (plan is { IsFeasible: false, MaximumFeasibleSparsity: null } && tooShort.Add(plan.Message))
            {
                sink.Warning(plan.Message);
            }

            sink.Object(plan);
        }
    }
}
