package main

// sessionsCommands are `parley sessions …`.
type sessionsCommands struct {
	Cleanup cleanupCommand `cmd:"" help:"Apply the maintenance rules to session stores now, or show what that would do."`
}
