using System.CommandLine;

var root = new RootCommand("Sparse-attention experiments.");
return root.Parse(args).Invoke();
