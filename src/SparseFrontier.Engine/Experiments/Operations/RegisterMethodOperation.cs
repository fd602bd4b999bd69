using SparseFrontier.Attention;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Makes a user's scorer a method for the rest of the process, and emits it as Get-SparseAttentionMethod would.</summary>
public sealed class RegisterMethodOperation
{
    /// <summary>Name of the method.</summary>
    public required string Name { get; init; }

    /// <summary>What is scored.</summary>
    public required ScoredUnit Unit { get; init; }

    /// <summary>The user's code.</summary>
    public required UnitScorer Scorer { get; init; }

    /// <summary>Names the code by its content.</summary>
    public required string CodeHash { get; init; }

    /// <summary>One sentence on what is kept.</summary>
    public string Description { get; init; } = "";

    /// <summary>Registers the method.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: no name; NameTaken: a method of this project has it.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        UserName.Require(Name, "method");
        string description = Description.Length > 0 ? Description : $"Keeps the {Unit.ToString().ToLowerInvariant()} that the user's own code scores highest.";
        AttentionMethod method = new UserMethod(Name, description, CodeHash, Scorer).Create(Unit);
        MethodRegistry.Register(method);
        new GetMethodOperation { Name = [Name] }.Execute(sink, cancellationToken);
    }
}
