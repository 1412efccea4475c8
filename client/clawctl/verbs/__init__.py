"""The verbs of `clawctl`: name, synopsis, what it does, and `module:function` in this package (loaded when called).

The synopsis is what the command line is read against and what the help shows; `usage` says how it is written.
"""

Verb = tuple[str, str, str, str]

_SCHEDULE = (
    "PROMPT... [--name NAME] [--cron CRON] [--every 2h] [--at TIME] [--missed once|skip|all]"
    " [--within 7d] [--verdict VERDICT] [--repo REPO] [--unattended MODE]"
)

GROUPS: tuple[tuple[str, tuple[Verb, ...]], ...] = (
    (
        "talk",
        (
            ("attach", "[SESSION]", "chat in the terminal; Ctrl-C detaches and work goes on", "talk:attach"),
            (
                "chat",
                "TEXT... [--session S] [--no-wait] [--timeout 10m]",
                "send one message and stream the answer (- reads standard input)",
                "talk:chat",
            ),
            ("sessions", "[--limit N]", "conversations, newest first", "talk:sessions"),
        ),
    ),
    (
        "see",
        (
            ("status", "", "how the daemon is", "state:status"),
            ("doctor", "", "what is wrong and how to mend it", "state:doctor"),
            ("version", "", "versions of client and daemon", "state:version"),
            ("tasks", "[--limit N]", "what is being done and was done", "work:tasks"),
            ("task show", "ID", "one task in full", "work:task_show"),
            ("signals", "[--limit N]", "what came in", "work:signals"),
            ("decisions", "[--limit N]", "what was made of it", "work:decisions"),
            ("why", "ID", "why something happened, or did not", "work:why"),
            (
                "events",
                "[--after N] [--limit N] [--session S] [--follow]",
                "the event log by cursor",
                "events:events",
            ),
            ("log", "[DATE] [--follow] [--verify]", "the daily log; --verify checks its chain", "diary:log"),
            ("notifications", "[--limit N]", "what you were told", "notify:notifications"),
            ("cost", "", "what was spent, and on what", "state:cost"),
            ("sent", "[--limit N]", "what left this machine, and to whom", "state:sent"),
        ),
    ),
    (
        "decide",
        (
            (
                "approvals",
                "[--all] [--limit N]",
                "what waits for your word; --all and --json: what is settled too",
                "approvals:approvals",
            ),
            ("approve", "ID [--always]", "let it happen", "approvals:approve"),
            ("deny", "ID [--note TEXT]", "do not let it happen", "approvals:deny"),
            ("answer", "ID TEXT...", "answer a question", "approvals:answer"),
            ("task cancel", "ID", "stop a task for good", "work:task_cancel"),
            ("task retry", "ID", "try a task again", "work:task_retry"),
            ("pause", "", "stop all proactive work", "state:pause"),
            ("resume", "", "take proactive work up again", "state:resume"),
            ("mute", "WHAT [--for 1d]", "no notifications about a repository, kind or thread", "notify:mute"),
        ),
    ),
    (
        "remember",
        (
            (
                "memory list",
                "[--all] [--topic TOPIC] [--limit N]",
                "what is remembered",
                "memory:memory_list",
            ),
            (
                "memory search",
                "Q... [--limit N]",
                "what answers a question, best first",
                "memory:memory_search",
            ),
            ("memory show", "ID", "one memory, its versions and what it rests on", "memory:memory_show"),
            (
                "memory add",
                "TEXT... [--topic TOPIC] [--when WORDS] [--observed-at TIME]",
                "remember something (- reads standard input)",
                "memory:memory_add",
            ),
            (
                "memory edit",
                "ID [--text TEXT] [--topic TOPIC] [--when WORDS]",
                "make a newer version, in your editor without --text",
                "memory:memory_edit",
            ),
            ("memory forget", "ID", "forget it, for good", "memory:memory_forget"),
            (
                "memory import",
                "PATH [--dry-run] [--yes]",
                "take over another agent's Markdown memory or JSONL transcripts",
                "bring:memory_import",
            ),
            ("dream", "[--now] [--dry-run]", "tidy memory up; --now whatever goes on", "memory:dream"),
            ("dreams", "[--limit N]", "what dreams changed", "memory:dreams"),
            ("dream undo", "ID", "put back all that a dream changed", "memory:dream_undo"),
            (
                "redact",
                "TEXT... [--yes]",
                "remove a text from everything, backups and log too (- reads standard input)",
                "memory:redact",
            ),
        ),
    ),
    (
        "set up",
        (
            (
                "schedule add",
                _SCHEDULE,
                "do something at set times",
                "sources:schedule_add",
            ),
            ("schedule list", "[--limit N]", "schedules and when they run next", "sources:schedule_list"),
            ("schedule rm", "ID", "remove a schedule, by id or name", "sources:schedule_rm"),
            ("schedule run", "ID", "run a schedule now", "sources:schedule_run"),
            (
                "watch add",
                "PATH [--match GLOB...] [--quiet 2s] [--verdict VERDICT] [--prompt TEXT] [--repo REPO]",
                "notice changes of files",
                "sources:watch_add",
            ),
            ("watch list", "[--limit N]", "watched directories", "sources:watch_list"),
            ("watch rm", "ID", "stop watching, by id or name", "sources:watch_rm"),
            ("rules list", "", "the rules in force", "sources:rules_list"),
            (
                "rules test",
                "[--since 30d]",
                "what the present rules would have made of the past",
                "sources:rules_test",
            ),
            (
                "github connect",
                "[REPO]",
                "have GitHub tell the daemon about a repository",
                "sources:github_connect",
            ),
            ("github list", "", "repositories and how their news arrive", "sources:github_list"),
            ("notify test", "", "send a test to every notification address", "notify:test"),
            ("features", "[NAME] [on|off]", "show the features, or switch one", "state:features"),
            ("init", "[--yes]", "write a first config", "local:init"),
            ("config check", "", "is the config right", "local:config_check"),
            ("config get", "KEY", "one value of the config", "local:config_get"),
            ("config set", "KEY VALUE", "change one value of the config", "local:config_set"),
            ("config path", "", "where the config is", "local:config_path"),
            (
                "service install",
                "[--dry-run]",
                "start the daemon with your session, for good",
                "local:service",
            ),
            ("service uninstall", "[--dry-run]", "undo that", "local:service"),
            ("service status", "", "what the service manager says", "local:service"),
            ("service logs", "[--follow]", "what the daemon wrote to its service manager", "local:service"),
            (
                "backup",
                "[PATH]",
                "copy the home into one file: PATH, or a dated one in the folder PATH",
                "local:backup",
            ),
            ("restore", "PATH", "put a backup back (the daemon must be stopped)", "local:restore"),
        ),
    ),
)
