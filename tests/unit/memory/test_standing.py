"""Which sentences hold beyond the moment they are said in, and which only look like it."""

import pytest

from nightclaw.memory.corrections import learned_of
from nightclaw.memory.standing import bare, points_away, polite, rule_of

LASTING = {
    "policy": ["Two approvals a release, that's our policy", "Make it a habit: update the changelog", "As a rule we do not log names"],
    "always": ["Always seed random generators", "never force-push to shared branches", "don't ever edit the lock file by hand"],
    "whenever": ["Whenever you touch the schema, add a migration", "when you write release notes, no slogans", "Run prettier on every file you change", "before every demo reset the sandbox", "Before you drop a table, take a dump", "when a job fails, look at the .err file first", "if you're unsure about a translation, leave the English text in"],
    "we": ["We deploy with Argo", "we don't mock the database", "For dates we always use ISO 8601", "We're on Python 3.12", "Not Slack, we're on Mattermost"],
    "decided": ["We decided to go with NATS", "we've switched to Vitest", "The team agreed on two-week sprints", "we decided today to go with Kong as the API gateway", "decided in standup: Loki replaces Elasticsearch", "We dropped Travis for good"],
    "prefer": ["I prefer tabs", "I'd rather have short answers", "I can't stand trailing whitespace", "I want to be asked before anything goes out"],
    "about me": ["My time zone is Europe/Lisbon", "I'm colour-blind", "call me Ada", "I use Helix", "my landlord is Mr. Okafor and he only takes bank transfers"],
    "stated": ["I work only Monday to Thursday", "Mira is on parental leave until April", "Anything about payroll goes to Benedikt", "Nobody pushes on Fridays", "we're not allowed to use GPL libraries in this product", "Production deploys need two approvals", "Tests belong next to the code", "the satellite link only allows 9600 baud", "Releases go out every other Thursday", "The release branch is cut on Mondays", "the cluster is down for maintenance every first Tuesday of the month", "Node 22 is our baseline", "The search index gets rebuilt every night at 02:30 UTC", "Metrics end up in VictoriaMetrics; Grafana only reads from there", "The monorepo has three apps: portal, kiosk and backoffice", "Our customers upload files of up to 2 GB", "fixtures are under spec/data", "prod db: mariadb 10.11, two replicas", "ripgrep over grep any day", "The retry limit should've been 5", "It's Ingrid who signs off on schema changes", "There's no staging for the mobile backend", "this repo uses pnpm", "Errors get wrapped with context before they bubble up", "Personally I find f-strings easier to read"],
    "person": ["Petra took over design", "Priya owns billing", "Joanna Pike runs the network team, ask her for firewall stuff", "Tomasz left; Yuki maintains the deploy scripts now"],
    "who": ["Only maintainers merge to main", "We can't use AGPL code in the product, legal forbids it"],
    "ask first": ["Ask me before you add a dependency", "If something costs more than 5 dollars, ask me before running it"],
    "don't": ["Don't use emojis in answers", "Stop adding docstrings to helpers", "avoid nested ternaries"],
    "no": ["No abbreviations in names please", "no releases without a changelog", "No more LINQ in gameplay code, it allocates too much", "no emojis anywhere, not in code and not in chat"],
    "choose": ["Use pnpm instead of npm", "keep the changelog in CHANGES.md, not in the wiki", "instead of curl use httpie in the examples"],
    "how": ["Name branches after the ticket", "Treat warnings as errors", "Speak German with me"],
    "scope": ["Keep your answers short", "For any new project default to Go", "use YYYY-MM-DD for dates in all our runbooks", "quote every path in shell scripts, we have folders with spaces", "keep secrets out of every log line", "use mlflow for everything new", "commit configs along with each result, I want every number reproducible"],
    "norm": ["All commits must be signed", "all times in the API are UTC", "each service has its own database"],
    "fact": ["The customer portal is written in Elm", "Docstrings are written in English in our docs", "The staging db moved to port 5433", "The prod bucket is called acme-assets", "Logs are kept for 30 days", "We're dropping Windows support in release 4.0", "the scheduler runs in UTC"],
    "home": ["In this repo branches are named after tickets"],
    "you keep": ["You keep adding comments to obvious lines. Don't.", "you keep using print here: use the logger of the project"],
    "so": ["I work on a train, so keep the debug menu usable offline", "our users are nurses, so no jargon in messages"],
    "role": ["Bram's the contact for payments", "The release manager is Oksana"],
}  # fmt: skip
OF_THE_MOMENT = """\
there's a bug in parser.py: it returns None when the list is empty
The endpoint should return 404 when the user doesn't exist
it always crashes when I press enter
I always forget the syntax
never seen that before
every test fails
whenever I run it I get a segfault
we use this function in three places, so check all callers
we tried that last week
we decided to fix the bug tomorrow
I prefer the first one
I'd love to see it
I hate this bug
I like the second version better
I use print to debug this now
my laptop is slow today
my build is failing
my name is wrong in the header
I'm in a hurry, so skip the slow tests
don't run the tests yet
don't use a regex here
don't use recursion here, it's too deep
stop the server
use a dict here instead of a list
use port 9000 for this test
call the function twice
call it a day
Close issue 42
Run prettier
Sign the commit
add docstrings to all public functions
all imports must be sorted in this file
in this repo, find all TODOs
in this repo the tests are broken
the function is called parse_row
the PR number is 482
The release is stuck
Jonas left a comment on the PR
Nobody answers my mails
the migration took 40 minutes
CI is green
suppose the port is 8080
I think the cache is stale
it would be nice if we always had green builds
echo "always push" >> notes.txt
x = 3
can we always do that
explain quaternions to me like I'm five
the build is red
my battery is at 4 percent
the invoice from March is in my downloads
everyone is at the offsite
my doctor is late
all files are uploaded
each row is printed twice
everything is broken again
the response has only one field
add tests for all public functions in parser.py
write tests for every function in money.py
format all files with black and push
put a comment on each ticket you just closed
translate all strings on the start page
rename every variable in this function
instead of a list return a generator here
instead of 5 workers use 3
no more time for that
no hits in the search, odd
Luis is at the dentist
everyone says hi
my colleague has the flu
write docs for all endpoints in routes.py
the pipeline has only failed on Windows 11
no more than three results please
when the tests pass, merge it
when you have time, look at issue 12
when a test fails here I see nothing
before you continue, show me the diff
before every exam I was nervous
if it takes more than five minutes, stop it
we agreed on nothing
we can't use the meeting room
as of today we have 12 open bugs
You keep me sane. Thanks.
no, the error is in the parser, not in the lexer
Not bad! The page is on 3 columns.
the train leaves every hour, I'll catch the next
the linter complains about the import
the new dashboard looks great
the sidebar overlaps the chart
Hanna is looking into it
there's a typo in the heading
we have ten minutes
the API returns 403 for my user
Tuesday works for me
the plan is to ship on Monday
your last answer was cut off
I need you to revert the last commit
the customer wants it by Friday
Sarah will send the logos later
our tests take forever
feels like a race condition
Postgres eats the whole CPU
sketch a diagram of the flow
The bot's comment:
""".splitlines()


@pytest.mark.parametrize(("rule", "sentence"), [(r, s) for r, said in LASTING.items() for s in said])
def test_what_holds(rule: str, sentence: str) -> None:
    assert rule_of(sentence) == rule


@pytest.mark.parametrize("sentence", OF_THE_MOMENT)
def test_what_passes(sentence: str) -> None:
    assert rule_of(sentence) is None
    assert learned_of(sentence) == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Hey, by the way: we deploy with Argo", "We deploy with Argo"),
        ("the fiscal year starts in April, keep that in mind", "The fiscal year starts in April"),
        ("1000 requests a minute a key on our API, don't forget that when you write load tests", "1000 requests a minute a key on our API"),
        ("note to self for you: fixtures go under tests/fixtures", "Fixtures go under tests/fixtures"),
        ("put this in your memory: the fiscal year ends in March", "The fiscal year ends in March"),
        ("Heads up: the legacy API is frozen", "The legacy API is frozen"),
        ("Could you please always include a test with each fix?", "Always include a test with each fix"),
        ("can you remember that staging is on port 7070?", "Staging is on port 7070"),
        ("nope, the owner of billing isn't Sven any more, it's Ifeoma", "The owner of billing is Ifeoma"),
        ("That's outdated, we dropped Travis last year", "We dropped Travis last year"),
        ("no, tabs in the shader files, spaces everywhere else", "Tabs in the shader files, spaces everywhere else"),
        ("use uv in this project, not conda", "Use uv in this project, not conda"),
        ("You keep adding comments to obvious lines. Don't.", "You keep adding comments to obvious lines. Don't."),
        ("my advisor is Prof. Ito and he reads all drafts on paper", "My advisor is Prof. Ito and he reads all drafts on paper"),
        ("the card certificate expires on 19 November, note that down", "The card certificate expires on 19 November"),
        ("Our branches are feature/<initials>-<topic>, stick to it", "Our branches are feature/<initials>-<topic>"),
        ("from today on, branches are named after the ticket", "Branches are named after the ticket"),
        ("Not port 8080! The gateway is on 9443.", "The gateway is on 9443."),
        ("Let me correct you: Priyanka is the lead, not Dana.", "Priyanka is the lead"),
        ("the raw data is in /srv/raw and it's read-only, never write there", "The raw data is in /srv/raw and it's read-only, never write there"),
        ("the key sits in the vault under 'infra', remember that", "The key sits in the vault under 'infra'"),
        ("branches are named after the ticket, e.g. PAY-123, remember it", "Branches are named after the ticket, e.g. PAY-123"),
        ("If a test is flaky, don't skip it, open an issue. That's the rule here.", "If a test is flaky, don't skip it, open an issue. That's the rule here."),
        ("Not Slack, we're on Mattermost. Notifications go there.", "Not Slack, we're on Mattermost. Notifications go there."),
        ("Looks good, thanks! One thing though: we don't abbreviate variable names in this codebase.", "We don't abbreviate variable names in this codebase."),
        ("Can you fix the import order? And in general, stdlib first, then third party, then ours.", "Stdlib first, then third party, then ours."),
        ("add the test for the parser, oh and remember that tests belong next to the source file", "Tests belong next to the source file"),
        ("no, not npm. this repo uses pnpm, always has", "Not npm. this repo uses pnpm, always has"),
        ("Bitte merk dir: vor jedem Commit läuft cargo fmt.", "Vor jedem Commit läuft cargo fmt."),
        ("It's been agreed that session tokens expire after 20 minutes.", "It's been agreed that session tokens expire after 20 minutes."),
    ],
)  # fmt: skip
def test_it_is_kept_as_a_statement_that_stands_alone(said: str, kept: str) -> None:
    assert [one.text for one in learned_of(said)] == [kept]


def test_a_list_of_rules_is_one_memory_each() -> None:
    said = "Some rules for this repo:\n- tabs, not spaces\n- never push to main\n\nThanks!"
    assert [one.text for one in learned_of(said)] == ["Tabs, not spaces", "Never push to main"]


def test_a_request_beside_it_is_not_kept() -> None:
    said = "Remember that the staging port is 8080. Now run the tests. Can you look at the log?"
    assert [one.text for one in learned_of(said)] == ["The staging port is 8080."]


def test_the_parts() -> None:
    assert bare("Please, ok: also use tabs") == "use tabs"
    assert bare("Important customers pay late") == "Important customers pay late"
    assert polite("could you always use tabs?") == "always use tabs"
    assert polite("could you use tabs?") == "could you use tabs?"
    assert points_away("use the other one") and not points_away("use tabs in this repo")
