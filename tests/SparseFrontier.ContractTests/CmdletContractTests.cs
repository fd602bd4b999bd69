using Xunit;

namespace SparseFrontier.ContractTests;

/// <summary>The guidelines that PowerShell's users count on, checked on metadata.</summary>
public class CmdletContractTests
{
    // learn.microsoft.com: approved verbs for PowerShell commands.
    private static readonly string[] s_approvedVerbs =
    [
        "Add", "Clear", "Close", "Copy", "Enter", "Exit", "Find", "Format", "Get", "Hide", "Join", "Lock", "Move", "New", "Open", "Optimize", "Pop",
        "Push", "Redo", "Remove", "Rename", "Reset", "Resize", "Search", "Select", "Set", "Show", "Skip", "Split", "Step", "Switch", "Undo", "Unlock",
        "Watch", "Connect", "Disconnect", "Read", "Receive", "Send", "Write", "Backup", "Checkpoint", "Compare", "Compress", "Convert", "ConvertFrom",
        "ConvertTo", "Dismount", "Edit", "Expand", "Export", "Group", "Import", "Initialize", "Limit", "Merge", "Mount", "Out", "Publish", "Restore",
        "Save", "Sync", "Unpublish", "Update", "Debug", "Measure", "Ping", "Repair", "Resolve", "Test", "Trace", "Approve", "Assert", "Build",
        "Complete", "Confirm", "Deny", "Deploy", "Disable", "Enable", "Install", "Invoke", "Register", "Request", "Restart", "Resume", "Start",
        "Stop", "Submit", "Suspend", "Uninstall", "Unregister", "Wait", "Block", "Grant", "Protect", "Revoke", "Unblock", "Unprotect", "Use",
    ];

    private static readonly string[] s_expected =
    [
        "Compare-SparseAttentionResult", "Export-AttentionTrace", "Export-SparseAttentionBundle", "Export-SparseAttentionResult", "Export-SparsityReport", "Get-SparseAttentionCost",
        "Get-SparseAttentionDevice", "Get-SparseAttentionJob", "Get-SparseAttentionMethod", "Get-SparseAttentionModel", "Get-SparseAttentionPlan",
        "Get-SparseAttentionResult", "Get-SparseAttentionTask", "Get-SparsityFinding", "Get-SparsityPareto", "Get-SparsityRecommendation", "Import-SparseAttentionBundle", "Import-SparseAttentionResult", "Invoke-AttentionTrace",
        "Invoke-SparseAttentionRun", "Measure-AttentionPattern", "Measure-SparseKernel", "Measure-SparsityEffect", "Measure-SparsityScaling",
        "Measure-SparsityTolerance", "Merge-SparseAttentionResult", "New-SparseAttentionSample", "New-SparseAttentionSweep", "Register-SparseAttentionMethod",
        "Register-SparseAttentionTask", "Remove-SparseAttentionResult", "Show-AttentionMask", "Show-SparsityPareto", "Stop-SparseAttentionJob", "Submit-SparseAttentionRun",
        "Test-KernelCorrectness", "Test-SparsityClaim",
    ];

    public static TheoryData<string> Names => [.. ModuleAssembly.Cmdlets.Select(c => c.Name)];

    [Fact]
    public void The_module_has_the_promised_cmdlets() => Assert.Equal(s_expected, ModuleAssembly.Cmdlets.Select(c => c.Name));

    [Theory]
    [MemberData(nameof(Names))]
    public void Names_follow_the_rules(string name)
    {
        CmdletMetadata cmdlet = Find(name);
        Assert.Contains(cmdlet.Verb, s_approvedVerbs);
        Assert.Equal($"{cmdlet.Verb}{cmdlet.Noun}Command", cmdlet.Type.Name);
        Assert.Equal("SparseFrontier.Commands", cmdlet.Type.Namespace);
        Assert.True(cmdlet.Type.IsSealed && cmdlet.Type.IsPublic);
        Assert.True(File.Exists(Path.Combine(LayerTests.Root(), "SparseFrontier.Module", "Commands", $"{cmdlet.Type.Name}.cs")));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Output_types_are_declared(string name) => Assert.NotEmpty(Find(name).OutputTypes);

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_parameter_has_a_help_message(string name) =>
        Assert.All(Find(name).Parameters, p => Assert.Matches("^[A-Z].*\\.$", p.HelpMessage));

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_set_takes_the_pipeline_and_by_value_once(string name)
    {
        CmdletMetadata cmdlet = Find(name);
        string[] sets = [.. cmdlet.Parameters.Select(p => p.Set).Distinct().Where(s => s != "__AllParameterSets")];
        foreach (string set in sets.Length == 0 ? ["__AllParameterSets"] : sets)
        {
            ParameterMetadata[] inSet = [.. cmdlet.Parameters.Where(p => p.Set == set || p.Set == "__AllParameterSets")];
            Assert.True(inSet.Count(p => p.FromPipeline) <= 1, $"{name}, set {set}: several parameters take the pipeline by value.");
            Assert.True(inSet.Any(p => p.FromPipeline || p.FromPipelineByName), $"{name}, set {set}: nothing takes the pipeline.");
            int[] positions = [.. inSet.Select(p => p.Position).Where(p => p >= 0).Order()];
            Assert.Equal(Enumerable.Range(0, positions.Length), positions);
            Assert.InRange(positions.Length, 0, 3);
        }

        if (sets.Length > 1)
        {
            Assert.Contains(cmdlet.Named<string>("DefaultParameterSetName"), sets);
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Switches_are_switches(string name) => Assert.DoesNotContain(Find(name).Parameters, p => p.Property.PropertyType == typeof(bool));

    [Theory]
    [MemberData(nameof(Names))]
    public void Parameters_are_singular_pascal_case_and_not_reserved(string name)
    {
        string[] reserved = ["Confirm", "Debug", "ErrorAction", "ErrorVariable", "OutBuffer", "OutVariable", "PipelineVariable", "ProgressAction", "Verbose", "WarningAction", "WhatIf"];
        string[] singular = ["CompressBefore", "DenseLayer", "Status", "MaximumOutputTokens", "ShortInstructions", "WeightBytes", "CacheBytes", "TimeoutSeconds", "Series"];
        Assert.All(Find(name).Parameters, p =>
        {
            Assert.Matches("^[A-Z][A-Za-z]*$", p.Name);
            Assert.DoesNotContain(p.Name, reserved);
            Assert.True(!p.Name.EndsWith('s') || singular.Contains(p.Name), $"{p.Name} is a plural.");
        });
    }

    [Fact]
    public void The_same_parameter_has_the_same_type_everywhere()
    {
        var types = from cmdlet in ModuleAssembly.Cmdlets
                    from parameter in cmdlet.Parameters
                    where parameter.Name != "InputObject"
                    group Element(parameter.Property.PropertyType) by parameter.Name into byName
                    where byName.Distinct().Count() > 1
                    select $"{byName.Key}: {string.Join(", ", byName.Distinct())}";
        Assert.Empty(types);
    }

    [Fact]
    public void Aliases_do_not_collide() => Assert.All(ModuleAssembly.Cmdlets, cmdlet =>
    {
        string[] names = [.. cmdlet.Parameters.DistinctBy(p => p.Name).SelectMany(p => p.Aliases.Append(p.Name))];
        Assert.Equal(names.Length, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
    });

    [Theory]
    [InlineData("Invoke-SparseAttentionRun")]
    [InlineData("Submit-SparseAttentionRun")]
    [InlineData("Stop-SparseAttentionJob")]
    [InlineData("Merge-SparseAttentionResult")]
    [InlineData("Remove-SparseAttentionResult")]
    public void What_writes_asks_first(string name) => Assert.True(Find(name).Named<bool>("SupportsShouldProcess"));

    // An unset variable is null. It is nothing given where cells of a table bind by name, which may be empty, and refused everywhere else.
    [Theory]
    [MemberData(nameof(Names))]
    public void Lists_refuse_null_or_take_it_for_nothing(string name)
    {
        string[] cells = ["Method", "DecodeMethod", "Task", "Model", "SequenceLength", "Sparsity", "DecodeSparsity", "Seed", "DenseLayer", "Device"];
        bool isOfTables = Find(name).Parameters.Any(p => p.Name == "TaskParameter");
        Assert.All(Find(name).Parameters.Where(p => p.Property.PropertyType.IsArray && !(isOfTables && p.FromPipelineByName && cells.Contains(p.Name))), p =>
            Assert.True(
                p.IsMandatory || p.Property.GetCustomAttributesData().Any(a => a.AttributeType.Name is "ValidateNotNullAttribute" or "ValidateNotNullOrEmptyAttribute"), $"{name} -{p.Name} takes null."));
    }

    [Fact]
    public void Columns_of_a_specification_bind_by_name_to_a_run()
    {
        CmdletMetadata run = Find("Invoke-SparseAttentionRun");
        var names = run.Parameters.Where(p => p.FromPipelineByName).SelectMany(p => p.Aliases.Append(p.Name)).ToHashSet();
        string[] missing = [.. typeof(RunSpecification).GetProperties().Where(p => p.CanWrite).Select(p => p.Name).Except(names)];
        // The decode method's own parameters are given as "Method.Name=value" in a grid.
        Assert.Equal(["DecodeParameters"], missing);
    }

    private static CmdletMetadata Find(string name) => ModuleAssembly.Cmdlets.Single(c => c.Name == name);

    private static Type Element(Type type) => Nullable.GetUnderlyingType(type) ?? (type.IsArray ? type.GetElementType()! : type);
}
