namespace SparseFrontier.Models.Tokenizers.Jinja;

/// <summary>The errors of chat templates.</summary>
internal static class JinjaErrors
{
    /// <summary>A construct outside the supported subset, or a template that is not valid.</summary>
    public static SparseFrontierException Unsupported(string what, int line = 0) => new(
        ErrorIds.ChatTemplateUnsupported,
        $"The checkpoint's chat template uses {what}{(line > 0 ? $" (line {line})" : "")}, which is not supported. "
        + "docs/tokenizers.md lists what is; a chat_template.jinja beside the weights replaces the checkpoint's own.",
        what);
}
