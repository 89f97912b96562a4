package doctor

import "strings"

// damagedState is a state directory with something wrong in it, what is said of
// it, and what a repair makes of it.
type damagedState struct {
	name   string
	conf   string // STATE stands for the directory
	files  map[string]string
	before []string          // findings
	fixed  []string          // findings with Fix
	after  []string          // findings afterwards, but for what was set aside
	keeps  map[string]string // files afterwards, copies without the time in their names
	labels string            // of all sessions afterwards
}

var damagedStates = []damagedState{
	{name: "nothing", before: []string{}, fixed: []string{}, after: []string{}},
	{
		name:   "all is well",
		files:  map[string]string{dir + "sessions.json": `{"agent:main:a":{"sessionId":"s","label":"l"}}`, dir + "s.jsonl": head + first, "devices/paired.json": `{}`, "token": "x"},
		before: []string{}, fixed: []string{}, after: []string{}, labels: "a=l",
	},
	{
		name:   "modes, leftovers and locks",
		files:  map[string]string{dir + "sessions.json@0644": `{}`, "token@0640": "x", "devices/pending.json@0604": "{}", dir + "sessions.json.x.tmp": "x", dir + "s.jsonl.x.tmp": "", dir + "other.tmp": "", dir + "sessions.json.lock": deadLock, dir + "s.jsonl.lock": deadLock, "devices/paired.json.x.tmp": ""},
		before: []string{"info leftover ", "info leftover devices", "info stale-lock /s.jsonl.lock", "info stale-lock /sessions.json.lock", "warning mode ", "warning mode .", "warning mode devices"},
		fixed:  []string{"fixed leftover ", "fixed leftover devices", "fixed mode ", "fixed mode .", "fixed mode devices", "fixed stale-lock /s.jsonl.lock", "fixed stale-lock /sessions.json.lock"},
		after:  []string{}, keeps: map[string]string{dir + "other.tmp": "", dir + "sessions.json": `{}`},
	},
	{
		name:   "a damaged line of the journal",
		files:  map[string]string{dir + "sessions.json": `{"agent:main:x":{"label":"x1"}}`, dir + "sessions.json.journal": broken(journal, 2)},
		before: []string{"error journal-damaged /sessions.json.journal", "info journal-foreign /sessions.json.journal"},
		fixed:  []string{"fixed journal-damaged /sessions.json.journal 2 copies", "fixed journal-foreign /sessions.json.journal"},
		after:  []string{}, labels: "a=a1 c=c1 x=x1",
		keeps: map[string]string{dir + "sessions.json.doctor": `{"agent:main:x":{"label":"x1"}}`, dir + "sessions.json.journal.doctor": broken(journal, 2)},
	},
	{
		name:   "a damaged header of the journal",
		files:  map[string]string{dir + "sessions.json": `{}`, dir + "sessions.json.journal": broken(journal, 0)},
		before: []string{"error journal-damaged /sessions.json.journal", "info store-pending /sessions.json"},
		fixed:  []string{"fixed journal-damaged /sessions.json.journal 2 copies", "fixed store-pending /sessions.json"},
		after:  []string{}, labels: "a=a1 b=b1 c=c1",
	},
	{
		name:   "a torn journal",
		files:  map[string]string{dir + "sessions.json": `{}`, dir + "sessions.json.journal": journal[:len(journal)-9]},
		before: []string{"info journal-foreign /sessions.json.journal", "info journal-torn /sessions.json.journal"},
		fixed:  []string{"fixed journal-foreign /sessions.json.journal", "fixed journal-torn /sessions.json.journal 2 copies"},
		after:  []string{}, labels: "a=a1 b=b1",
	},
	{
		name:   "a journal of a later version",
		files:  map[string]string{dir + "sessions.json": `{"agent:main:a":{"label":"l"}}`, dir + "sessions.json.journal": sealed(`{"v":2,"base":null,"n":0`)},
		before: []string{"error journal-later /sessions.json.journal"}, fixed: []string{"error journal-later /sessions.json.journal"}, after: []string{"error journal-later /sessions.json.journal"},
		keeps: map[string]string{dir + "sessions.json": `{"agent:main:a":{"label":"l"}}`, dir + "sessions.json.journal": sealed(`{"v":2,"base":null,"n":0`)},
	},
	{
		name:   "a damaged store",
		files:  map[string]string{dir + "sessions.json": `{"agent:main:x":{"label":"x1"},"agent:main:y":{"la`, dir + "sessions.json.journal": journal, dir + "sessions.json.bak.1700000000000": `{"agent:main:z":{}}`, dir + "lost.jsonl": head},
		before: []string{"error store-damaged /sessions.json"},
		fixed:  []string{"fixed store-damaged /sessions.json 2 copies", "info transcript-unused "},
		after:  []string{"info transcript-unused "}, labels: "a=a1 b=b1 c=c1 x=x1",
		keeps: map[string]string{dir + "sessions.json.corrupt": `{"agent:main:x":{"label":"x1"},"agent:main:y":{"la`, dir + "sessions.json.journal.corrupt": journal, dir + "sessions.json.bak": `{"agent:main:z":{}}`},
	},
	{
		name:   "a store that is no object",
		files:  map[string]string{dir + "sessions.json": `[1]`},
		before: []string{"error store-damaged /sessions.json"}, fixed: []string{"fixed store-damaged /sessions.json 1 copies"}, after: []string{},
		keeps: map[string]string{dir + "sessions.json.corrupt": `[1]`},
	},
	{
		name: "what entries say",
		files: map[string]string{
			dir + "sessions.json": `{"agent:main:a":{"sessionId":"s","status":"running","updatedAt":5},"agent:main:b":{"sessionId":"s","label":"l"},"agent:main:c":{"label":"l","sessionFile":"/etc/passwd"},
				"Agent:main:C":{},"agent:main:d":{"sessionId":"gone","systemSent":true},"agent:main:e":{"sessionId":"new"},"odd":7}`,
			dir + "s.jsonl": head + first, dir + "unused.jsonl": head, dir + "sessions.json.conflicts": "{}\n",
		},
		before: []string{
			"info entry-odd /sessions.json", "info entry-spellings /sessions.json", "info set-aside ", "info transcript-unused ", "warning entry-running /sessions.json",
			"warning label-twice /sessions.json", "warning session-file-outside /sessions.json", "warning transcript-missing /sessions.json", "warning transcript-shared /s.jsonl",
		},
		fixed: []string{
			"fixed entry-running /sessions.json 1 copies", "info entry-odd /sessions.json", "info entry-spellings /sessions.json", "info set-aside ", "info transcript-unused ",
			"warning label-twice /sessions.json", "warning session-file-outside /sessions.json", "warning transcript-missing /sessions.json", "warning transcript-shared /s.jsonl",
		},
		after: []string{
			"info entry-odd /sessions.json", "info entry-spellings /sessions.json", "info transcript-unused ",
			"warning label-twice /sessions.json", "warning session-file-outside /sessions.json", "warning transcript-missing /sessions.json", "warning transcript-shared /s.jsonl",
		},
		labels: "a= b=l c=l d= e=", keeps: map[string]string{dir + "s.jsonl": head + first, dir + "unused.jsonl": head},
	},
	{
		name: "transcripts",
		files: map[string]string{
			dir + "sessions.json": `{"agent:main:bad":{"sessionId":"s"},"agent:main:bare":{"sessionId":"bare"},"agent:main:old":{"sessionId":"old"},"agent:main:torn":{"sessionId":"torn"},"agent:main:other":{"sessionId":"other"},"agent:main:later":{"sessionId":"later"}}`,
			dir + "s.jsonl":       head + "rubbish\n" + first, dir + "bare.jsonl": first, dir + "other.jsonl": head,
			dir + "old.jsonl": strings.NewReplacer(`"version":3`, `"version":2`, `"s"`, `"old"`).Replace(head) + first, dir + "torn.jsonl": strings.Replace(head, `"s"`, `"torn"`, 1) + `{"ty`,
			dir + "later.jsonl": strings.NewReplacer(`"version":3`, `"version":9`, `"s"`, `"later"`).Replace(head),
		},
		before: []string{
			"error transcript-damaged /later.jsonl", "info transcript-damaged /old.jsonl", "info transcript-damaged /torn.jsonl",
			"warning transcript-damaged /bare.jsonl", "warning transcript-damaged /other.jsonl", "warning transcript-damaged /s.jsonl",
		},
		fixed: []string{
			"error transcript-damaged /later.jsonl", "fixed transcript-damaged /bare.jsonl 1 copies", "fixed transcript-damaged /old.jsonl 1 copies", "fixed transcript-damaged /s.jsonl 1 copies",
			"fixed transcript-damaged /torn.jsonl 1 copies", "warning transcript-damaged /other.jsonl",
		},
		after: []string{"error transcript-damaged /later.jsonl", "warning transcript-damaged /other.jsonl"},
		keeps: map[string]string{dir + "s.jsonl": head + first, dir + "s.jsonl.bak": head + "rubbish\n" + first, dir + "bare.jsonl.bak": first}, labels: "bad= bare= later= old= other= torn=",
	},
	{
		name: "runs",
		files: map[string]string{
			dir + "sessions.json": `{"agent:main:a":{"status":"running"},"agent:main:b":{"status":"running"}}`,
			dir + "runs.journal":  sealed(`{"op":"accepted","t":1,"kind":"chat","run":"r","key":"agent:main:a","message":"m"`) + "rubbish\n" + sealed(`{"op":"text","t":2,"kind":"chat","run":"r","add":"so"`),
		},
		before: []string{"info runs-unended /runs.journal", "warning entry-running /sessions.json", "warning runs-damaged /runs.journal"},
		fixed:  []string{"fixed entry-running /sessions.json 1 copies", "fixed runs-damaged /runs.journal 1 copies", "info runs-unended /runs.journal"},
		after:  []string{"info runs-unended /runs.journal"}, labels: "a= b=",
	},
	{
		name:   "devices",
		files:  map[string]string{"devices/paired.json": "{", "devices/bootstrap.json": "7"},
		before: []string{"warning devices-damaged devices/bootstrap.json", "warning devices-damaged devices/paired.json"},
		fixed:  []string{"warning devices-damaged devices/bootstrap.json", "warning devices-damaged devices/paired.json"},
		after:  []string{"warning devices-damaged devices/bootstrap.json", "warning devices-damaged devices/paired.json"},
	},
	{
		name: "a store elsewhere", conf: `{session: {store: "STATE/far/all.json"}}`,
		files:  map[string]string{"far/all.json@0644": `{"agent:main:a":{"label":"l"}}`, "far/all.json.x.tmp": "", "far/mine@0644": "", "far/all.json.journal": "\n"},
		before: []string{"error journal-damaged far/all.json.journal", "info leftover far", "warning mode far"},
		fixed:  []string{"fixed journal-damaged far/all.json.journal 2 copies", "fixed leftover far", "fixed mode far"},
		after:  []string{}, labels: "a=l",
	},
}
