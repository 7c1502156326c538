"""The contract of every backend, by its own suite; what it is allowed; its limits; and what a service may answer."""

import json
import time
import unittest

from support import FOLDER, Alias, Dns, Gateway, Groups, LoadBalancer, Shop, trouble


class Contract(unittest.TestCase):
    def each(self):
        for maker in (LoadBalancer, Dns, Alias, Gateway, Groups):
            trouble().clear()
            backend = maker(trouble())
            yield backend, Shop(self, backend)

    def test_every_rule_is_kept(self):
        for backend, shop in self.each():
            ran = shop.run("traffic", "test", FOLDER, "--yes", "--verify-timeout", "20s").ends(0)
            self.assertNotIn("BROKEN", ran.out)
            self.assertGreaterEqual(ran.out.count("  kept "), 9, ran.out)
            self.assertEqual(backend.weights(), (100, 0))

    def test_what_it_does_is_what_the_policy_allows(self):
        for backend, shop in self.each():
            shop.run("traffic", "test", FOLDER, "--yes", "--verify-timeout", "20s").ends(0)
            policy = json.loads(shop.run("traffic", "policy", FOLDER).ends(0).out)
            self.assertEqual(policy["Version"], "2012-10-17")
            allowed = {action.split(":")[1] for statement in policy["Statement"] for action in statement["Action"]}
            asked = {backend.allows(action) for action in trouble().actions()}
            self.assertLessEqual(asked, allowed)
            # What else is allowed is asked for in cases that this suite does not meet.
            self.assertLessEqual(allowed - asked, {"DescribeListeners", "DescribeTargetGroups", "GetHealthCheck", "GetHealthCheckStatus"})

    def test_shares_that_no_weights_make_are_refused_before_anything_runs(self):
        for backend, shop in self.each():
            shop.plan("--shift", "0.01,100")
            trouble().clear()
            if backend.takes_any_share:
                continue
            shop.execute().ends(2).says("green gets all traffic or none" if backend.kind == "aws-autoscaling" else "give green exactly 0.01 %")
            self.assertNotIn(backend.writes, trouble().actions())

    def test_what_it_sees_is_shown(self):
        for backend, shop in self.each():
            shares = (0, 100) if backend.kind == "aws-autoscaling" else (75, 25)
            backend.gives(*shares)
            # What it logs comes before the document.
            shown = shop.run("traffic", "show", FOLDER, "--format", "json").ends(0).out
            shown = json.loads(shown[shown.index("{") :])
            self.assertEqual(shown["share"], shares[1] * 100)
            self.assertEqual(shown["capabilities"]["target"]["at"], backend.at)

    def test_errors_are_told_apart(self):
        denied = {"aws-lambda": "AccessDeniedException", "aws-apigateway": "AccessDeniedException"}
        for backend, shop in self.each():
            error = lambda status, code: backend.error(status, code, "this is why")
            trouble().make(backend.reads, answer=error(403, denied.get(backend.kind, "AccessDenied")), times=9)
            shop.run("traffic", "show", FOLDER).ends(2).says("this is why").says("(denied)")
            trouble().clear()
            trouble().make(backend.reads, answer=error(403, "ExpiredToken"), times=9)
            shop.run("traffic", "show", FOLDER).ends(2).says("ExpiredToken").says("(denied)")
            trouble().clear()
            trouble().make(backend.reads, answer=error(400, "ThrottlingException"), times=9)
            shop.run("traffic", "show", FOLDER).ends(2).says("(throttled)")
            trouble().clear()
            trouble().make(backend.reads, answer=error(503, "ServiceUnavailable"), times=9)
            shop.run("traffic", "show", FOLDER).ends(2).says("cannot reach it")
            trouble().clear()
            trouble().make(backend.reads, after=lambda: time.sleep(3), times=9)
            shop.run("traffic", "show", FOLDER, "--traffic-timeout", "1s").ends(2).says("no answer within 1s")
            trouble().clear()
            trouble().make(backend.reads, answer=(200, "text/html", "<html>"), times=9)
            shop.run("traffic", "show", FOLDER).ends(2)
            trouble().clear()
            # Nobody is there who could be asked for credentials.
            nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
            shop.run("traffic", "show", FOLDER, **nobody).ends(2).says("credentials")

    def test_what_is_not_there_is_named(self):
        gone = [
            (LoadBalancer, "listener-rule/", "listener-rule/app/", "not-found"),
            (Dns, 'green = "green"', 'green = "grun"', "no A record"),
            (Dns, 'type = "A"', 'type = "AAAA"', "has weighted A records as well"),
            (Alias, 'alias = "live"', 'alias = "dead"', "not-found"),
            (Alias, 'green = "2"', 'green = "77"', "not-found"),
            (Gateway, 'stage = "live"', 'stage = "dead"', "not-found"),
            (Gateway, 'api = "', 'api = "0', "not-found"),
            (Groups, '-green"', '-grun"', "there is no Auto Scaling group"),
            (Groups, "targetgroup/", "targetgroup/0", "not-found"),
        ]
        for maker, known, other, says in gone:
            with self.subTest(f"{maker.kind} {other}"):
                backend = maker(trouble())
                shop = Shop(self, backend)
                toml = shop.folder / FOLDER / "cutover.toml"
                self.assertIn(known, toml.read_text())
                toml.write_text(toml.read_text().replace(known, other))
                shop.run("traffic", "show", FOLDER).ends(2).says(says)


class LoadBalancers(unittest.TestCase):
    def test_other_actions_and_stickiness_stay(self):
        backend = LoadBalancer(trouble())
        oidc = {
            "Issuer": "https://example.org",
            "AuthorizationEndpoint": "https://example.org/authorize",
            "TokenEndpoint": "https://example.org/token",
            "UserInfoEndpoint": "https://example.org/user",
            "ClientId": "edge",
            "ClientSecret": "secret",
        }
        sticky = {"TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 2}}
        (forward,) = backend.actions(100, 0, **sticky)
        actions = [{"Type": "authenticate-oidc", "Order": 1, "AuthenticateOidcConfig": oidc}, {**forward, "Order": 2}]
        backend.elb.modify_rule(RuleArn=backend.rules[0], Actions=actions)
        before = backend.elb.describe_rules(RuleArns=backend.rules)["Rules"][0]["Actions"]
        shop = Shop(self, backend)
        trouble().clear()
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "50").ends(0).says("for 2 s")
        (written, *_) = trouble().bodies("ModifyRule")
        self.assertIn("Actions.member.1.AuthenticateOidcConfig.UseExistingClientSecret=true", written)
        self.assertIn("Actions.member.2.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds=2", written)
        after = backend.elb.describe_rules(RuleArns=backend.rules)["Rules"][0]["Actions"]
        for actions in (before, after):
            actions[0]["AuthenticateOidcConfig"].pop("UseExistingClientSecret", None)
            actions[0]["AuthenticateOidcConfig"].pop("ClientSecret", None)
            actions[1].pop("TargetGroupArn", None)
        self.assertEqual(before, after)

    def test_a_listener_stands_for_its_default_action(self):
        backend = LoadBalancer(trouble())
        backend.elb.modify_listener(ListenerArn=backend.listener, DefaultActions=backend.actions(100, 0))
        backend.rules = [backend.listener]
        shop = Shop(self, backend)
        shop.run("traffic", "test", FOLDER, "--yes").ends(0)
        self.assertIn("ModifyListener", trouble().actions())

    def test_green_must_be_in_the_rule(self):
        backend = LoadBalancer(trouble())
        backend.elb.modify_rule(RuleArn=backend.rules[0], Actions=[{"Type": "forward", "TargetGroupArn": backend.blue}])
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(2).says("add it with weight 0")

    def test_a_third_target_group_is_a_stranger(self):
        backend = LoadBalancer(trouble())
        other = LoadBalancer(trouble())
        (forward,) = backend.actions(50, 0)
        forward["ForwardConfig"]["TargetGroups"].append({"TargetGroupArn": other.green, "Weight": 1})
        backend.elb.modify_rule(RuleArn=backend.rules[0], Actions=[forward])
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(2).says("neither blue's nor green's")

    def test_a_version_without_targets_is_unhealthy(self):
        backend = LoadBalancer(trouble())
        backend.elb.deregister_targets(TargetGroupArn=backend.green, Targets=[{"Id": "10.0.0.11"}])
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(0).says("unhealthy: ").says("has no targets")


    def test_rules_that_differ_are_refused(self):
        backend = LoadBalancer(trouble(), rules=2)
        backend.somebody_else(50, 50)
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(2).says("different shares")


class Names(unittest.TestCase):
    def test_health_is_that_of_the_records_check(self):
        backend = Dns(trouble())
        config = {"Type": "HTTP", "IPAddress": "192.0.2.2", "Port": 80}
        check = backend.route53.create_health_check(CallerReference=backend.name, HealthCheckConfig=config)["HealthCheck"]["Id"]
        backend.change(backend.record("green", 0, HealthCheckId=check))
        shop = Shop(self, backend)
        observed = "<HealthCheckObservation><Region>eu-west-1</Region><IPAddress>198.51.100.1</IPAddress><StatusReport><Status>{}</Status></StatusReport></HealthCheckObservation>"
        answer = "<GetHealthCheckStatusResponse><HealthCheckObservations>{}</HealthCheckObservations></GetHealthCheckStatusResponse>"
        for status, says in [("Success: HTTP Status Code 200, OK", "Green      healthy"), ("Failure: Connection refused", "unhealthy: health check")]:
            trouble().make("GetHealthCheckStatus", answer=(200, "text/xml", answer.format(observed.format(status))))
            shop.run("traffic", "show", FOLDER).ends(0).says(says).says("Route 53 answers with those of weight 0")

    def test_another_type_with_weights_is_refused(self):
        backend = Dns(trouble())
        other = {**backend.record("blue", 100), "Type": "AAAA", "ResourceRecords": [{"Value": "2001:db8::1"}]}
        backend.change(other)
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(2).says("has weighted AAAA records as well")

    def test_a_record_of_another_routing_is_refused(self):
        backend = Dns(trouble())
        backend.change(backend.record("third", 5))
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(2).says("(third) has a weight as well")

    def test_ttls_that_differ_are_refused(self):
        backend = Dns(trouble())
        backend.change(backend.record("green", 0, ttl=300))
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(2).says("different TTLs")

    def test_a_change_is_waited_for_until_it_is_everywhere(self):
        backend = Dns(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        trouble().make("GetChange", change=lambda text: text.replace("INSYNC", "PENDING"), times=2)
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "50").ends(0).says("not on all servers")
        self.assertGreaterEqual(trouble().actions().count("GetChange"), 3)

    def test_both_records_are_changed_in_one_batch_and_stay_as_they_are(self):
        backend = Dns(trouble())
        before = backend.records()
        shop = Shop(self, backend)
        trouble().clear()
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "50").ends(0)
        bodies = trouble().bodies("ChangeResourceRecordSets")
        self.assertGreaterEqual(len(bodies), 2)
        for body in bodies:
            self.assertEqual(body.count("<Change>"), 2)
        self.assertEqual(before, backend.records())


class Aliases(unittest.TestCase):
    def test_a_change_at_the_same_moment_is_never_overwritten(self):
        backend = Alias(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        precondition = backend.error(412, "PreconditionFailedException", "The RevisionId provided does not match")
        trouble().make("UpdateAlias", answer=precondition, times=9)
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "50").ends(1).says("PreconditionFailedException")
        self.assertEqual(backend.weights(), (100, 0))
        bodies = trouble().bodies("UpdateAlias")
        self.assertTrue(bodies)
        for body in bodies:
            self.assertTrue(json.loads(body)["RevisionId"])

    def test_a_change_whose_answer_is_lost_is_no_conflict(self):
        backend = Alias(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        # The service has it, and says something else: the client asks again with a revision that is gone.
        lost = lambda: trouble().make("UpdateAlias", answer=backend.error(412, "PreconditionFailedException"))
        trouble().make("UpdateAlias", after=lost, status=500)
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "50").ends(0)

    def test_versions_with_different_roles_are_refused(self):
        backend = Alias(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        trouble().make("GetFunctionConfiguration", change=lambda text: text.replace(":role/", ":role/other-"))
        shop.run("traffic", "show", FOLDER).ends(2).says("different execution roles")

    def test_a_third_version_is_refused(self):
        backend = Alias(trouble())
        backend.client.update_alias(FunctionName=backend.function, Name="live", FunctionVersion=backend.third)
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(2).says(f"leads to version {backend.third}")

    def test_the_last_share_leaves_one_version(self):
        backend = Alias(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "100").ends(0)
        bodies = [json.loads(body) for body in trouble().bodies("UpdateAlias")]
        self.assertIn((backend.green, {}), [(body["FunctionVersion"], body["RoutingConfig"]["AdditionalVersionWeights"]) for body in bodies])
        self.assertEqual((bodies[-1]["FunctionVersion"], bodies[-1]["RoutingConfig"]["AdditionalVersionWeights"]), (backend.blue, {}))


class Gateways(unittest.TestCase):
    def refused(self, backend, says):
        shop = Shop(self, backend)
        trouble().clear()
        shop.run("traffic", "show", FOLDER).ends(2).says(says)
        self.assertNotIn("UpdateStage", trouble().actions())

    def test_more_than_everything_is_refused_before_any_call(self):
        shop = Shop(self, Gateway(trouble()))
        trouble().clear()
        shop.run("plan", "migrations", "--shift", "150", "-o", "release.plan").ends(2)
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "100.01").ends(2)
        self.assertEqual(trouble().actions(), [])

    def test_a_percentage_that_the_service_does_not_have_is_refused(self):
        for percent in ("150.0", "-5.0"):
            backend = Gateway(trouble())
            backend.patch(("replace", "/canarySettings/deploymentId", backend.green), ("replace", "/canarySettings/percentTraffic", percent))
            self.refused(backend, f"has {percent.removesuffix('.0')} % of the requests, and API Gateway has 0 to 100")

    def test_a_canary_of_another_deployment_is_refused(self):
        backend = Gateway(trouble())
        backend.patch(("replace", "/canarySettings/deploymentId", backend.third), ("replace", "/canarySettings/percentTraffic", "0.0"))
        self.refused(backend, f"leads to deployment {backend.third}, which is not green's; remove it first")

    def test_a_stage_of_another_deployment_is_refused(self):
        backend = Gateway(trouble())
        backend.patch(("replace", "/deploymentId", backend.third))
        self.refused(backend, f"leads to deployment {backend.third}, and neither to")

    def test_stage_variables_that_nobody_told_of_are_refused(self):
        backend = Gateway(trouble())
        backend.patch(("replace", "/canarySettings/deploymentId", backend.green), ("replace", "/canarySettings/stageVariableOverrides/alias", "odd"))
        self.refused(backend, "has other stage variables (alias) than `variables` says (none)")

    def test_blue_has_no_canary_beside_it_again(self):
        backend = Gateway(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        shop.run("traffic", "test", FOLDER, "--yes").ends(0)
        stage = backend.stage()
        self.assertEqual((stage["deploymentId"], stage.get("canarySettings")), (backend.blue, None))
        # A share that is there is not set again.
        written = trouble().bodies("UpdateStage")
        for one, next_one in zip(written, written[1:]):
            self.assertNotEqual(one, next_one)

    def test_a_deployment_that_is_not_there_is_named(self):
        """LocalEmu has no word for it, and the service does."""
        backend = Gateway(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        trouble().make("GetDeployment", answer=backend.error(404, "NotFoundException", "Invalid Deployment identifier specified"))
        shop.run("traffic", "show", FOLDER).ends(2).says("Invalid Deployment identifier specified (not-found)")

    def test_a_change_whose_answer_is_lost_is_made_again(self):
        backend = Gateway(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        trouble().make("UpdateStage", status=500, times=1)
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "50").ends(0)
        self.assertEqual(backend.weights(), (100, 0))

    def test_a_change_at_the_same_moment_is_told(self):
        backend = Gateway(trouble())
        shop = Shop(self, backend)
        trouble().clear()
        trouble().make("UpdateStage", answer=backend.error(409, "ConflictException", "this is why"), times=9)
        shop.run("traffic", "test", FOLDER, "--yes", "--shares", "50").ends(1).says("ConflictException: this is why (conflict)")
        self.assertEqual(backend.weights(), (100, 0))


class AutoScalingGroups(unittest.TestCase):
    def test_both_groups_or_none_are_refused(self):
        for weights, says in (((1, 1), "detach the other"), ((0, 0), "is attached to nothing")):
            backend = Groups(trouble())
            backend.gives(*weights)
            shop = Shop(self, backend)
            trouble().clear()
            shop.run("traffic", "show", FOLDER).ends(2).says(says)
            self.assertFalse([action for action in trouble().actions() if "tach" in action])

    def test_a_change_whose_answer_is_lost_is_no_failure(self):
        """The client asks again, and the service has nothing to detach any more."""
        for action in ("AttachLoadBalancerTargetGroups", "DetachLoadBalancerTargetGroups"):
            backend = Groups(trouble())
            shop = Shop(self, backend)
            trouble().clear()
            trouble().make(action, status=500)
            shop.run("traffic", "test", FOLDER, "--yes", "--shares", "100").ends(0)
            self.assertEqual([rule["times"] for rule in trouble().rules], [0])
            self.assertEqual(backend.weights(), (100, 0))

    def test_an_instance_of_neither_group_is_a_stranger(self):
        backend, other = Groups(trouble()), Groups(trouble())
        (instance, _) = other.instances(other.blue)
        backend.elb.register_targets(TargetGroupArn=backend.target_groups[0], Targets=[{"Id": instance}])
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(2).says(f"instances of neither group get traffic: {instance} in targetgroup/")

    def test_a_group_without_instances_is_unhealthy(self):
        backend = Groups(trouble())
        backend.scaling.update_auto_scaling_group(AutoScalingGroupName=backend.green, MinSize=0, DesiredCapacity=0)
        shop = Shop(self, backend)
        shop.run("traffic", "show", FOLDER).ends(0).says(f"unhealthy: group {backend.green} has no instance in service")

    def test_behind_load_balancers_of_both_kinds(self):
        for sources in (("classic",), ("target-group", "classic")):
            backend = Groups(trouble(), sources=sources)
            shop = Shop(self, backend)
            trouble().clear()
            ran = shop.run("traffic", "test", FOLDER, "--yes", "--verify-timeout", "20s").ends(0)
            self.assertNotIn("BROKEN", ran.out)
            self.assertEqual(backend.weights(), (100, 0))
            policy = json.loads(shop.run("traffic", "policy", FOLDER).ends(0).out)
            allowed = {action.split(":")[1] for statement in policy["Statement"] for action in statement["Action"]}
            self.assertLessEqual(set(trouble().actions()), allowed)
