"""action.yml, and the workflows beside its scripts."""

import json
import os
import re
import shutil
import signal
import sys
import time
import unittest
import unittest.mock
from pathlib import Path

import yaml

from support import NICK, NO_EMAIL, RENAME, ROOT, WORK, Action, Api, Case, Database, Repository, plain_environment, tool

PIPELINES = ROOT / "examples/pipelines/github"
WORKFLOWS = sorted(PIPELINES.glob("*.yml"))
sys.path.insert(0, str(PIPELINES))
import comment  # noqa: E402


class Files(Case):
    def repository(self, action="./", change=lambda text: text):
        """A repository with the action and the workflows that use it."""
        folder = self.folder()
        self.ends(["git", "init", "--quiet", str(folder)])
        (folder / ".github/workflows").mkdir(parents=True)
        shutil.copy(ROOT / "action.yml", folder)
        for path in WORKFLOWS:
            text = path.read_text()
            self.assertIn("OWNER/cutover@COMMIT", text)
            (folder / ".github/workflows" / path.name).write_text(change(text.replace("OWNER/cutover@COMMIT", action)))
        return folder

    def test_the_schemas_of_github(self):
        self.assertEqual(len(WORKFLOWS), 2)
        self.ends(tool("check_jsonschema", "--builtin-schema", "vendor.github-actions", str(ROOT / "action.yml")))
        self.ends(tool("check_jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)))

    def test_actionlint(self):
        self.ends(tool("actionlint"), cwd=self.repository())
        # It has read the action, too.
        wrong = self.repository(change=lambda text: text.replace("folder:", "folders:"))
        self.assertIn('input "folders" is not defined in action "cutover"', self.ends(tool("actionlint"), 1, cwd=wrong))

    def test_zizmor(self):
        pinned = f"owner/cutover@{'0' * 40}"
        audit = tool("zizmor", "--offline", "--quiet", "--no-progress", ".")
        self.ends(audit, cwd=self.repository(pinned))
        injected = self.repository(pinned)
        text = (injected / "action.yml").read_text()
        (injected / "action.yml").write_text(text.replace('"$GITHUB_ACTION_PATH/examples/pipelines/github/action.py" run', "${{ inputs.args }}"))
        self.assertIn("template-injection", self.ends(audit, 14, cwd=injected))

    def test_no_script_of_the_action_has_an_expression(self):
        for step in yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]:
            self.assertNotIn("${{", step.get("run", ""))
            self.assertEqual(step.get("shell"), None if "uses" in step else "bash")


class Lint(Case):
    def test_findings_are_annotated_and_kept(self):
        repository = Repository(self).write(2, "rename", RENAME).commit()
        run = Action(self, repository).run(1, folder="migrations")
        self.assertIn("$ cutover lint migrations --base origin/main", run.log)
        self.assertRegex(run.log, r"(?m)^::error title=CO102 incompatible-change,file=migrations/2_rename\.sql,line=2,col=1::")
        self.assertIn("::error title=cutover lint::exit code 1: there are findings", run.log)
        # Once: what cutover writes by itself in a workflow, the action writes.
        self.assertEqual(run.log.count("::error title=CO102"), 1)
        self.assertIn("### cutover lint", run.summary)
        self.assertEqual(run.outputs["exit-code"], "1")
        sarif = json.loads(Path(run.outputs["sarif"]).read_text())
        location = sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
        self.assertEqual(location["uri"], "migrations/2_rename.sql")
        # The upload step takes it, and so does a schema that is not ours.
        self.assertEqual(sarif["version"], "2.1.0")

    def test_nothing_found(self):
        repository = Repository(self).write(2, "nick", NICK).commit()
        run = Action(self, repository).run(folder="migrations", sarif="found.sarif")
        self.assertEqual(run.outputs["exit-code"], "0")
        self.assertEqual(run.outputs["sarif"], str(repository.folder / "found.sarif"))
        self.assertNotIn("::error", run.log)

    def test_paths_start_at_the_repository_in_a_folder_of_it(self):
        repository = Repository(self, "service").write(2, "rename", RENAME).commit()
        run = Action(self, repository).run(1, working_directory="service")
        self.assertIn("file=service/2_rename.sql", run.log)

    def test_what_is_pending_may_be_said(self):
        repository = Repository(self).write(2, "rename", RENAME).commit()
        run = Action(self, repository).run(1, folder="migrations", args="--from 1 --fail-on warning")
        self.assertIn("$ cutover lint migrations --from 1 --fail-on warning --report", run.log)
        run = Action(self, repository, pull_request=False).run(folder="migrations", base="HEAD")
        self.assertIn("Found nothing in 0 migrations", run.log)
        run = Action(self, repository).run(1, folder="migrations", base="none")
        self.assertNotIn("--base", run.log)

    def test_a_base_that_git_does_not_have(self):
        repository = Repository(self).write(2, "nick", NICK).commit()
        run = Action(self, repository).run(2, folder="migrations", base="nowhere")
        self.assertIn("fetch-depth: 0", run.log)
        self.assertEqual(run.outputs["sarif"], "")

    def test_no_input_is_code(self):
        repository = Repository(self).write(2, "nick", NICK).commit()
        bad = "$(touch pwned); `touch pwned` '"
        for inputs in ({"folder": bad}, {"args": "'$(touch pwned)' ; touch pwned"}, {"base": bad}, {"sarif": "x/$(touch pwned)"}, {"command": bad}):
            Action(self, repository).run(1 if "command" in inputs else 2, **{"folder": "migrations", **inputs})
        Action(self, repository).run(1, folder="migrations", args="'")
        self.assertEqual([path for path in WORK.rglob("pwned")], [])

    def test_no_text_of_a_migration_is_a_command_to_github(self):
        repository = Repository(self).write(2, "rename", f"{RENAME[:-1]}\n::set-output name=exit-code::0\n::error::made up\n;").commit()
        for command in ("lint", "plan"):
            run = Action(self, repository).run(1, command=command, folder="migrations", comment="false")
            stopped, outside = None, []
            for line in run.log.splitlines():
                begins = re.match(r"::stop-commands::(\w+)$", line)
                if begins:
                    stopped = begins[1]
                elif stopped and line == f"::{stopped}::":
                    stopped = None
                elif not stopped:
                    outside.append(line)
            self.assertIn("made up", run.log)
            self.assertEqual([line for line in outside if re.match(r"\s*::(set-output|error::made)", line)], [])


class Plan(Case):
    def test_a_comment_is_written_once_and_then_edited(self):
        api, repository = Api(self), Repository(self).write(2, "nick", NICK).commit()
        action = Action(self, repository, api)
        run = action.run(command="plan", folder="migrations", env={"CLICOLOR_FORCE": "1"})
        (first,) = [dict(comment) for comment in api.comments]
        self.assertTrue(first["body"].startswith("<!-- cutover: plan migrations -->\n### cutover plan of `migrations`: safe\n"), first["body"])
        self.assertIn("+   1  users.nick  ADD COLUMN text", first["body"])
        self.assertIn("Commit c0ffee000000, [run](https://github.example/team/shop/actions/runs/99)", first["body"])
        self.assertIn("+   1  users.nick  ADD COLUMN text", run.summary)
        self.assertEqual(json.loads(Path(run.outputs["plan"]).read_text())["migrations"]["from"], "1")

        repository.write(3, "rename", RENAME).commit()
        run = action.run(1, command="plan", folder="migrations")
        self.assertEqual(api.written(), ["POST", "PATCH"])
        (second,) = api.comments
        self.assertEqual(second["id"], first["id"])
        self.assertIn("### cutover plan of `migrations`: not safe", second["body"])
        self.assertIn("CO102 incompatible-change", second["body"])
        self.assertEqual(run.outputs["exit-code"], "1")
        self.assertNotIn("\x1b", first["body"] + second["body"])

    def test_the_comments_of_others_are_left_alone(self):
        api, repository = Api(self), Repository(self).write(2, "nick", NICK).commit()
        marker = "<!-- cutover: plan migrations -->"
        others = [
            ("Look at\n" + marker, "github-actions[bot]"),
            (marker + "\nhaha", "mallory"),
            ("<!-- cutover: plan other -->", "github-actions[bot]"),
        ]
        for body, author in others:
            api.add(body, author)
        Action(self, repository, api).run(command="plan", folder="migrations")
        self.assertEqual([(comment["body"], comment["user"]["login"]) for comment in api.comments[:3]], others)
        self.assertEqual(api.written(), ["POST"])

    def test_its_comment_is_found_behind_hundreds(self):
        api, repository = Api(self), Repository(self).write(2, "nick", NICK).commit()
        for number in range(250):
            api.add(f"comment {number}", "ada")
        mine = api.add("<!-- cutover: plan migrations -->\nold", "github-actions[bot]")
        Action(self, repository, api).run(command="plan", folder="migrations")
        self.assertEqual([method for method, _ in api.requests], ["GET", "GET", "GET", "PATCH"])
        self.assertIn("users.nick", mine["body"])

    def test_a_token_that_only_reads(self):
        api, repository = Api(self, may_write=False), Repository(self).write(2, "nick", NICK).commit()
        run = Action(self, repository, api).run(command="plan", folder="migrations")
        self.assertIn("::notice title=cutover plan::this run may not comment on the pull request (HTTP 403)", run.log)
        self.assertIn("users.nick", run.summary)
        self.assertEqual(api.comments, [])

    def test_a_host_that_is_down(self):
        api, repository = Api(self, broken=True), Repository(self).write(2, "nick", NICK).commit()
        run = Action(self, repository, api).run(command="plan", folder="migrations", token="another")
        self.assertIn("GitHub did not take the comment (HTTP 401)", run.log)
        run = Action(self, repository, api).run(command="plan", folder="migrations")
        self.assertIn("GitHub did not take the comment (HTTP 502)", run.log)
        api.server.shutdown()
        api.server.server_close()
        run = Action(self, repository, api).run(command="plan", folder="migrations")
        self.assertIn("GitHub could not be asked to comment", run.log)

    def test_a_pull_request_without_migrations_is_not_commented_on(self):
        api, repository = Api(self), Repository(self)
        repository.write(2, "nick", NICK)
        added = repository.migrations / "2_nick.sql"
        added.rename(repository.folder / "kept")
        action = Action(self, repository, api)
        action.run(command="plan", folder="migrations")
        self.assertEqual(api.comments, [])
        # One that had some says that they are gone.
        (repository.folder / "kept").rename(added)
        action.run(command="plan", folder="migrations")
        added.unlink()
        action.run(command="plan", folder="migrations")
        self.assertIn("Nothing to do.", api.comments[0]["body"])

    def test_comments_may_be_turned_off_and_need_a_pull_request(self):
        api, repository = Api(self), Repository(self).write(2, "nick", NICK).commit()
        Action(self, repository, api).run(command="plan", folder="migrations", comment="false")
        Action(self, repository, api, pull_request=False).run(command="plan", folder="migrations", args="--from 1")
        self.assertEqual(api.requests, [])

    def test_a_plan_that_cannot_be_made_says_nothing_of_the_database(self):
        api, repository = Api(self), Repository(self).write(2, "nick", NICK).commit()
        url = "postgres://deploy@database.internal.example:1/shop?connect_timeout=1"
        run = Action(self, repository, api).run(2, command="plan", folder="migrations", env={"CUTOVER_DATABASE": url})
        self.assertIn("database.internal.example", run.log)
        (comment,) = api.comments
        self.assertIn("could not be made", comment["body"])
        self.assertNotIn("internal", comment["body"] + run.summary)

    def test_a_plan_against_a_database(self):
        api, database = Api(self), Database(self)
        repository = Repository(self).write(2, "nick", NICK).commit()
        run = Action(self, repository, api).run(command="plan", folder="migrations", env={"CUTOVER_DATABASE": database.url})
        self.assertNotIn("--base", run.log)
        self.assertIn("users.nick", api.comments[0]["body"])

    def test_markup_of_a_migration_stays_in_its_fence(self):
        api, repository = Api(self), Repository(self)
        repository.write(2, "rename", "-- ````\n" + RENAME + "\n-- ``````\n-- <img src=x> @ada\n").commit()
        Action(self, repository, api).run(1, command="plan", folder="migrations")
        fences = re.findall("(?m)^(`{3,})", api.comments[0]["body"])
        self.assertEqual(len(fences) % 2, 0)

    def test_a_comment_that_is_too_long_is_cut(self):
        api, repository = Api(self), Repository(self)
        many = "\n".join(f'ALTER TABLE users ADD COLUMN "größe_{number}" text;' for number in range(1500))
        repository.write(2, "many", many + "\n" + RENAME).commit()
        run = Action(self, repository, api).run(1, command="plan", folder="migrations")
        (comment,) = api.comments
        self.assertGreater(len(comment["body"]), 50_000)
        self.assertIn("This is not all of it: the rest is in the summary of the [run]", comment["body"])
        self.assertEqual(len(re.findall("(?m)^`{3,}", comment["body"])) % 2, 0)
        self.assertIn("größe_1499", run.summary)


class Comment(unittest.TestCase):
    """What is cut."""

    def test_characters_and_lines_are_whole_and_what_is_open_is_closed(self):
        text = comment.fenced("🐘ä" * 200 + "\nsecond\n" + "x" * 300)
        for longest in range(400, 1600, 7):
            cut = comment.shortened(text, longest, "\nmore")
            self.assertLessEqual(len(cut.encode()), longest)
            self.assertTrue(cut.endswith("```\nmore") or cut == text, cut)
            self.assertNotIn("\ufffd", cut)

    def test_a_short_one_is_left_alone(self):
        self.assertEqual(comment.shortened("äöü", 6, "more"), "äöü")

    def test_no_name_of_a_folder_ends_the_line_that_marks_the_comment(self):
        sent, asked = [], comment.asked
        try:
            comment.asked = lambda *words: sent.append(words) or ([], None)
            with unittest.mock.patch.dict(os.environ, GITHUB_REPOSITORY="team/shop"):
                comment.post(7, "plan a-->b--`c`\n/größe", "title\n\n", "shown", "rest", "end", "t", "a")
        finally:
            comment.asked = asked
        first, second = sent[1][3]["body"].splitlines()[:2]
        # What cannot be shown is told apart by a digest.
        self.assertRegex(first, r"^<!-- cutover: plan a-b-c-/gr-e [0-9a-f]{8} -->$")
        self.assertEqual(second, "title")

    def test_a_fence_is_longer_than_any_in_the_text(self):
        self.assertEqual(comment.fenced("a ```` b"), "`````text\na ```` b\n`````")

    def test_the_token_goes_to_no_other_host(self):
        asked = comment.asked
        try:
            comment.asked = lambda *_: ([], '<http://evil.example/repos/x>; rel="next"')
            with self.assertRaises(ValueError):
                comment.find("http://api.example/repos/team/shop/issues/7/comments", "m", "a", "t")
        finally:
            comment.asked = asked


class Build(Case):
    """Where cutover is not on the PATH."""

    def without(self):
        """A PATH with everything but cutover, and a cargo that says what it was asked for and does it."""
        folder = self.folder()
        (folder / "cargo").write_text(
            '#!/bin/sh\nprintf "%s\\n" "$*" >>"$CARGO_LOG"\nwhile [ "$1" != --root ]; do shift; done\n'
            f'mkdir -p "$2/bin" && cp {(WORK / "bin/cutover").resolve()} "$2/bin/cutover"\n'
        )
        (folder / "cargo").chmod(0o755)
        path = [part for part in plain_environment()["PATH"].split(":") if not (Path(part) / "cutover").exists()]
        return {"PATH": ":".join([str(folder), *path]), "CARGO_LOG": str(folder / "log")}, folder / "log"

    def test_it_is_built_once_from_the_source_of_the_action(self):
        env, log = self.without()
        repository = Repository(self).write(2, "nick", NICK).commit()
        action = Action(self, repository)
        run = action.run(env=env, folder="migrations")
        root = f"{action.temp}/cutover"
        features = "--no-default-features --features cli"
        self.assertEqual(log.read_text(), f"install --locked --path {ROOT} {features} --root {root}\n")
        self.assertEqual(run.cache["path"], root)
        self.assertRegex(run.cache["key"], r"^cutover-[\w.-]+-[0-9a-f]{32}$")
        again = action.run(env=env, folder="migrations", cached=True)
        self.assertEqual(again.cache, run.cache)
        self.assertEqual(len(log.read_text().splitlines()), 1)
        # With other features it is another build.
        other = action.run(env=env, folder="migrations", features="cli,aws")
        self.assertNotEqual(other.cache["key"], run.cache["key"])
        self.assertIn("--features cli,aws --root", log.read_text())

    def test_it_is_not_built_where_it_is_there(self):
        run = Action(self, Repository(self)).run(command="setup")
        self.assertIsNone(run.cache)
        self.assertRegex(run.log, r"(?m)^cutover \d+\.\d+\.\d+$")


class Release(Case):
    def setUp(self):
        self.database = Database(self)
        self.repository = Repository(self).write(2, "nick", NICK).write(3, "no_email", NO_EMAIL).commit()
        self.action = Action(self, self.repository, pull_request=False)
        self.env = {"CUTOVER_DATABASE": self.database.url}
        run = self.act("plan", folder="migrations")
        self.assertIn("Plan: 1 before, 1 after.", run.summary)

    def act(self, command, code=0, **more):
        return self.action.run(code, command=command, env=self.env, **more)

    def test_from_the_plan_to_the_end(self):
        run = self.act("execute")
        self.assertIn("awaiting approval", run.summary)
        self.assertEqual(self.database.columns(), "id name email nick")
        # A job that is run again does no harm.
        self.assertIn("$ cutover resume --yes", self.act("execute").log)
        self.act("promote")
        self.assertEqual(self.database.columns(), "id name nick")
        self.assertIn("is complete already", self.act("promote").log)
        self.assertIn("is complete already", self.act("execute").log)

    def test_a_job_that_was_killed_is_run_again(self):
        # Nothing of the first process is left but the journal.
        killed = ["execute", str(self.action.temp / "release.plan"), "--yes", "--fault", "kill-at=5"]
        self.database.cutover(*killed, code=-signal.SIGKILL, cwd=self.repository.folder)
        self.assertNotIn("awaiting", self.database.cutover("status"))
        # Options for a release that begins are for that one only.
        run = self.act("execute", args="--shift 100 --on-failure=pause --accept-base --lock-timeout 2s")
        self.assertIn("$ cutover resume --yes --lock-timeout 2s", run.log)
        self.assertIn("awaiting approval", run.summary)

    def test_a_job_that_is_cancelled_lets_cutover_save_its_state(self):
        def cancels(step, process):
            if step.get("id") != "run":
                return
            deadline = time.monotonic() + 30
            while "awaiting approval" not in self.database.cutover("status"):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
            os.kill(process.pid, signal.SIGINT)

        run = self.act("execute", 130, args="--wait", started=cancels)
        self.assertIn("exit code 130: it was interrupted, and its state is saved: run this job again", run.log)
        self.assertIn("awaiting approval", self.act("execute").summary)

    def test_what_people_stopped_is_not_started_again(self):
        self.act("execute")
        self.database.cutover("pause", "--reason", "looking")
        for command in ("execute", "promote"):
            self.assertIn("is paused; `cutover resume` lets it go on", self.act(command, 9).log)
        self.database.cutover("resume", "--yes")
        self.database.cutover("rollback", "--yes")
        for command in ("execute", "promote"):
            self.assertIn("went back to blue; `cutover resume` sends it forward again", self.act(command, 9).log)
        self.assertEqual(self.database.columns(), "id name email nick")

    def test_only_the_release_of_the_plan_is_promoted(self):
        self.assertIn("was not begun in this database", self.act("promote", 2).log)
        self.assertIn("cannot be read as a plan", self.act("promote", 2, plan_file="nothing").log)
        # Another one is under way.
        self.act("execute")
        self.act("promote")
        old = (self.action.temp / "release.plan").read_text()
        self.repository.write(4, "age", "ALTER TABLE users ADD COLUMN age int;").write(5, "no_nick", "ALTER TABLE users DROP COLUMN nick;").commit()
        self.act("plan", folder="migrations")
        self.act("execute")
        (self.action.temp / "release.plan").write_text(old)
        self.assertIn("is not its last one", self.act("promote", 2).log)
        self.assertEqual(self.database.columns(), "id name nick age")

    def test_a_promotion_that_was_killed_is_run_again(self):
        self.act("execute")
        self.database.cutover("promote", "--yes", "--fault", "kill-at=3", code=-signal.SIGKILL)
        run = self.act("promote", args="--reason 'ticket 4711'")
        self.assertRegex(run.log, r"\$ cutover resume --yes\n")
        self.assertEqual(self.database.columns(), "id name nick")

    def test_a_promotion_that_ends_at_another_gate_is_no_success(self):
        self.database.sql("SELECT 1")
        toml = self.repository.migrations / "cutover.toml"
        toml.write_text('[release]\ntraffic = "edge"\nramp = "50,approve=qa,100,approve=end"\n[traffic.edge]\nkind = "simulated"\n')
        self.repository.commit()
        self.act("plan", folder="migrations")
        self.act("execute")
        self.assertIn("is not done", self.act("promote", 9, args="--gate qa").log)

    def test_the_database_is_named_once(self):
        self.assertIn("is named by CUTOVER_DATABASE", self.act("execute", 2, args="--database postgres://elsewhere/shop").log)

    def test_a_step_that_fails(self):
        self.database.sql("ALTER TABLE users ADD COLUMN nick int")
        run = self.act("execute", 6)
        self.assertIn("::error title=cutover execute::exit code 6: ", run.log)
