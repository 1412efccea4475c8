"""The words of the made-up people of labelled_stream.py. `{o}` is the owner's login, `{text}` some ordinary prose."""

OWNERS = ["mira-k", "hollis", "ana-lindt", "jq-porter"]
LOGINS = [
    "tomasz-w", "ines-r", "dkoval", "yuki-han", "pell", "oriol-b", "grete99", "samir-x", "lowtide", "nadia-f",
    "quentin-o", "ravel", "bo-lund", "kestrel7", "imre-t", "zsofi", "tarn", "fen-dev", "uma-k", "wick",
]  # fmt: skip
ROBOTS = ["dependabot[bot]", "renovate[bot]", "github-actions[bot]", "codecov[bot]"]
BRANCHES = ["fix-cache", "feature/login", "dev", "patch-1", "refactor-queue"]
TITLES = [
    "Typo in the install guide", "Cache is not cleared after logout", "Support for TOML comments", "Speed up start",
    "Wrong exit code on a missing file", "Bump the minor group", "Crash on an empty list", "Dark theme",
    "Docs: explain retries", "Use the new queue", "Flaky test in the sync suite", "Add a health endpoint",
]  # fmt: skip
BODIES = [
    "I looked into it and the second loop never ends when the list is empty.",
    "Same here on 3.2, any news on this?",
    "Works for me after the last release, thanks!",
    "The steps are simple: start it, log out, log in again.\n\n1. start\n2. stop",
    "Could the option be documented? I had to read the source.",
    "LGTM, one nit below.",
    "Coverage went from 81.20% to 81.35% (+0.15%) by merging this.",
    "This was fixed on another branch, I think. See #12.",
    "Not sure this is the right place, but the colours look off on a light background.",
    "+1",
]
URGENT = [
    "After the update to 4.1 every stored file is gone, also from the backup. Customers lost data, stop the release.",
    "Production is down since the deploy ten minutes ago: all requests answer 500 and the rollback fails too.",
    "I can read other people's invoices without logging in by changing the id in the address. Where do I report it?",
]
CALLS = [
    "@{o} could you have a look? {text}",
    "{text}\n\ncc @{o}",
    "Thanks @{o}! {text}",
    "**@{o}**, ping. {text}",
    "(@{o}) {text}",
    "{text} What do you think, @{o}?",
    "> earlier words\n\n@{o} that is what I meant.",
    "Two of you know this part: @dkoval-old, @{o}.",
    "`code` and then @{o}: {text}",
]
NO_CALLS = [
    "```\n@{o} = handle()\n```\n{text}",
    "The decorator `@{o}` is wrong. {text}",
    "> @{o} wrote that it is fine\n\nIt is not. {text}",
    "Write to joe@{o}.dev for the logs. {text}",
    "@{o}-fans said the same. {text}",
    "<!-- @{o} please fill in -->\n{text}",
    "@acme/core please. {text}",
    "It is on https://example.org/@{o}/post. {text}",
    "Ask {o} about it. {text}",
    "~~~python\n@{o}\ndef f(): ...\n~~~\n{text}",
    "{o}@example.com has the file. {text}",
]
ORDERS = [
    "@nightclaw please fix this. {text}",
    "@nightclaw: add a test for the empty list",
    "{text}\n\n@nightclaw look into it",
    "@Nightclaw try the other branch",
]
NO_ORDERS = [
    "I wonder what @nightclaw would make of it. {text}",
    "```\n@nightclaw fix it\n```\n{text}",
    "> @nightclaw fix it\n\nDid that help? {text}",
    "`@nightclaw fix it` is how you ask. {text}",
]
SMALL_ISSUE = [
    "issues__edited.payload.json", "issues__milestoned.payload.json", "issues__demilestoned.payload.json",
    "issues__locked.payload.json", "issues__pinned.payload.json",
    "issues__unassigned.with-organization.payload.json",
]  # fmt: skip
SMALL_PULL = [
    "pull_request__converted_to_draft.payload.json", "pull_request__ready_for_review.payload.json",
    "pull_request__unassigned.payload.json", "pull_request__unlabeled.payload.json",
    "pull_request__reopened.with-organization.payload.json",
]  # fmt: skip
