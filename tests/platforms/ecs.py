"""A scripted ECS, whose service deploys by itself: moto drops what such a deployment is configured by. It answers in the shapes of the service's model, and a
deployment goes one stage further each time that somebody asks for it, unless it is paused."""

import itertools

from support import REGION, Backend, Refused, Scripted, scripted_error

ACCOUNT = Scripted.account
STAGES = [
    "RECONCILE_SERVICE",
    "PRE_SCALE_UP",
    "SCALE_UP",
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
]
ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
_number = itertools.count(1)


class Deployment:
    def __init__(self, service, task_definition):
        self.service, self.task_definition, self.number = service, task_definition, next(_number)
        self.arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/edge/{service.name}/{self.number:04}"
        self.revision = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-revision/edge/{service.name}/{self.number:04}"
        self.status, self.stage, self.weight, self.hook, self.reason = "PENDING", 0, 0.0, None, None
        self.looks, self.hooks = 0, 0

    @property
    def name(self):
        return STAGES[self.stage]

    def goes_on(self):
        """One stage further."""
        if self.status in ENDED:
            return
        if self.name == self.service.fails and self.status == "IN_PROGRESS":
            self.status, self.hook, self.reason = "ROLLBACK_IN_PROGRESS", None, "the deployment circuit breaker was triggered"
            return
        if self.hook:
            return
        if self.status == "PENDING":
            self.status = "IN_PROGRESS"
            return
        if self.status in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"):
            # Blue has the traffic again long before it is over.
            self.status, self.weight, self.looks = "ROLLBACK_IN_PROGRESS", 0.0, self.looks + 1
            self.service.task_definition = self.service.blue
            if self.looks > 4:
                self.status = "ROLLBACK_SUCCESSFUL"
            return
        if self.name == "CLEAN_UP":
            # Its tasks are no longer counted, and answer what they have begun to.
            self.status = "SUCCESSFUL"
            if self.service.blue_tasks == "RUNNING":
                self.service.blue_tasks = "DEACTIVATING"
            return
        if self.name == "PRODUCTION_TRAFFIC_SHIFT":
            self.weight = next(weight for weight in self.service.weights if weight > self.weight)
            # Each step has the stage before it once more.
            self.stage += 1 if self.weight == 100.0 else -1
        else:
            self.stage += 1
        if self.name in self.service.pauses:
            self.hook, self.hooks = f"hook-{next(_number)}", self.service.hooks_each

    def told(self):
        told = {
            "serviceDeploymentArn": self.arn,
            "serviceArn": self.service.arn,
            "status": self.status,
            "lifecycleStage": self.name,
            "deploymentConfiguration": {"strategy": self.service.strategy},
            "targetServiceRevision": {
                "arn": self.revision,
                "requestedTaskCount": 1,
                "runningTaskCount": 1,
                "pendingTaskCount": 0,
                # A weight is what was so a moment ago, or is not told.
                **({} if self.service.strategy == "BLUE_GREEN" else {"requestedProductionTrafficWeight": min(self.weight, self.service.told_most)}),
            },
            "sourceServiceRevisions": [
                {"arn": self.revision + "-before", "requestedTaskCount": 1, "runningTaskCount": int(self.service.blue_tasks == "RUNNING"), "pendingTaskCount": 0}
            ],
            "lifecycleHookDetails": [],
        }
        if self.hook:
            hook = {"hookId": self.hook, "targetType": "PAUSE", "status": "AWAITING_ACTION", "timeoutAction": "ROLLBACK"}
            told["lifecycleHookDetails"] = [{**hook, "hookId": "one before", "status": "SUCCEEDED"}, hook]
        if self.reason:
            told["rollback"] = {"reason": self.reason}
        return told


class Platform(Backend, Scripted):
    """A service as a release meets it."""

    kind, reads = "aws-ecs", "DescribeServices"
    error = staticmethod(scripted_error)
    drains_within = "4s"

    def __init__(self, trouble, strategy="CANARY", pauses=("PRE_PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"), weights=(10.0, 50.0, 100.0), fails=None, hooks_each=1, told_most=100.0):
        Backend.__init__(self, trouble)
        Scripted.__init__(self)
        self.strategy, self.pauses, self.weights, self.fails = strategy, pauses, weights, fails
        self.name = f"shop-{next(_number)}"
        self.arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/edge/{self.name}"
        self.family = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/shop:"
        self.blue = self.task_definition = self.family + "7"
        self.hooks_each, self.told_most = hooks_each, told_most
        self.blue_tasks = "RUNNING"
        first = Deployment(self, self.blue)
        first.status = "SUCCESSFUL"
        self.deployments = [first]
        self.stands_before(trouble, "AmazonEC2ContainerServiceV20141113")

    def settings(self, more=""):
        return (
            f'kind = "{self.kind}"\ncluster = "edge"\nservice = "{self.name}"\ntask-definition = "shop:8"\n{more}'
            + super().settings()
            + f'region = "{REGION}"\n'
        )

    def stop_blue(self):
        self.blue_tasks = "STOPPED"

    @property
    def own(self):
        return self.deployments[1:]

    def DescribeServices(self, asked):
        if asked["cluster"] != "edge":
            raise Refused("ClusterNotFoundException")
        if asked["services"] != [self.name]:
            return {"services": [], "failures": [{"reason": "MISSING"}]}
        hooks = [{"targetType": "PAUSE", "lifecycleStages": [stage]} for stage in self.pauses]
        # A deployment shows a moment after it was asked for.
        current = self.deployments[-1]
        if len(self.deployments) > 1 and not getattr(current, "shown", False):
            current.shown, current = True, self.deployments[-2]
        return {
            "services": [
                {
                    "serviceArn": self.arn,
                    "status": "ACTIVE",
                    "taskDefinition": self.task_definition,
                    "deploymentController": {"type": "ECS"},
                    "deploymentConfiguration": {"strategy": self.strategy, "lifecycleHooks": hooks, "bakeTimeInMinutes": 0},
                    "currentServiceDeployment": current.arn,
                }
            ]
        }

    def one(self, arn):
        for one in self.deployments:
            if one.arn == arn:
                return one

    def UpdateService(self, asked):
        assert asked["service"] == self.name
        self.task_definition = self.family + asked["taskDefinition"].split(":")[-1]
        self.deployments.append(Deployment(self, self.task_definition))
        return {"service": {"serviceArn": self.arn}}

    def DescribeServiceDeployments(self, asked):
        one = self.one(asked["serviceDeploymentArns"][0])
        if not one:
            return {"serviceDeployments": [], "failures": [{"reason": "MISSING"}]}
        told = one.told()
        one.goes_on()
        return {"serviceDeployments": [told]}

    def DescribeServiceRevisions(self, asked):
        (arn,) = asked["serviceRevisionArns"]
        (one,) = [one for one in self.deployments if one.revision == arn]
        return {"serviceRevisions": [{"serviceRevisionArn": arn, "taskDefinition": one.task_definition}]}

    def ContinueServiceDeployment(self, asked):
        one = self.one(asked["serviceDeploymentArn"])
        if asked["action"] != "CONTINUE" or one.hook != asked["hookId"]:
            raise Refused("InvalidParameterException", "the hook does not wait")
        one.hooks -= 1
        if one.hooks:
            one.hook = f"hook-{next(_number)}"
            return {"serviceDeploymentArn": one.arn}
        one.hook = None
        # Passed, it is not met once more.
        one.stage += 1
        return {"serviceDeploymentArn": one.arn}

    def ListTasks(self, asked):
        assert (asked["cluster"], asked["serviceName"]) == ("edge", self.name)
        if asked["desiredStatus"] == "RUNNING":
            return {"taskArns": ["arn:green"]}
        return {"taskArns": ["arn:blue"]}

    def DescribeTasks(self, asked):
        known = {
            "arn:green": {"taskDefinitionArn": self.family + "8", "lastStatus": "RUNNING"},
            "arn:blue": {"taskDefinitionArn": self.blue, "lastStatus": self.blue_tasks},
        }
        return {"tasks": [{"taskArn": arn, **known[arn]} for arn in asked["tasks"]]}

    def StopServiceDeployment(self, asked):
        one = self.one(asked["serviceDeploymentArn"])
        if one.status not in ("PENDING", "IN_PROGRESS"):
            raise Refused("ConflictException", f"it is {one.status}")
        assert asked["stopType"] == "ROLLBACK"
        one.status, one.hook, one.reason = "ROLLBACK_REQUESTED", None, "somebody stopped it"
        return {"serviceDeploymentArn": one.arn}
