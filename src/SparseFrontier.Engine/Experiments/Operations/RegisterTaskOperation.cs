using SparseFrontier.Tasks;

namespace SparseFrontier.Experiments.Operations;

/// <summary>Makes a user's content a task for the rest of the process, and emits it as Get-SparseAttentionTask would.</summary>
public sealed class RegisterTaskOperation
{
    /// <summary>Name of the task.</summary>
    public required string Name { get; init; }

    /// <summary>The user's code.</summary>
    public required TaskContent Content { get; init; }

    /// <summary>Names the code by its content.</summary>
    public required string CodeHash { get; init; }

    /// <summary>What it asks of a model, in one sentence.</summary>
    public string Description { get; init; } = "";

    /// <summary>What a prompt says of the context and of what is asked.</summary>
    public string Introduction { get; init; } = "";

    /// <summary>What a prompt says of the form of an answer.</summary>
    public string AnswerFormat { get; init; } = "";

    /// <summary>Registers the task.</summary>
    /// <exception cref="SparseFrontierException">ParameterInvalid: no name; NameTaken: a task of this project has it.</exception>
    public void Execute(IPipelineSink sink, CancellationToken cancellationToken)
    {
        UserName.Require(Name, "task");
        TaskRegistry.Register(new UserTask(
            Name,
            Description.Length > 0 ? Description : "A task of the user's own.",
            Introduction.Length > 0 ? Introduction : "Read the context and answer the question.",
            AnswerFormat.Length > 0 ? AnswerFormat : "The answer and nothing else.",
            CodeHash,
            Content));
        new GetTaskOperation { Name = [Name] }.Execute(sink, cancellationToken);
    }
}
