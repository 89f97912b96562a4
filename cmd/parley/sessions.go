package main

// sessionsCommands are `parley sessions …`.
type sessionsCommands struct {
	List     listCommand     `cmd:"" default:"withargs" help:"List sessions, those used last first (the default)."`
	Show     showCommand     `cmd:"" help:"Show a session and its last messages."`
	Export   exportCommand   `cmd:"" help:"Write sessions with their transcripts into a file."`
	Import   importCommand   `cmd:"" help:"Take sessions in from a file that export wrote."`
	Archives archivesCommand `cmd:"" help:"List the conversations that resets and deletions have set aside."`
	Restore  restoreCommand  `cmd:"" help:"Make an archive the conversation of its session again."`
	Cleanup  cleanupCommand  `cmd:"" help:"Apply the maintenance rules to session stores now, or show what that would do."`
}
