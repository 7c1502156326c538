"""A scripted CodeDeploy, with the ECS behind it: moto begins deployments and never goes on with them. It answers in the shapes of the services' models, and a
deployment goes one stage further each time that somebody asks for it, unless it waits."""

import hashlib
import itertools
import time

from support import REGION, Backend, Refused, Scripted, scripted_error

EVENTS = ["BeforeInstall", "Install", "AfterInstall", "AllowTestTraffic", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"]
ACTIVE = ("Created", "Queued", "InProgress", "Ready", "Baking")
_number = itertools.count(1)


class Deployment:
    def __init__(self, group, description, rolls_back=None):
        self.group, self.description, self.rolls_back = group, description, rolls_back
        self.id = f"d-{next(_number):09}"
        self.begun, self.ended = time.time(), None
        self.status, self.event, self.weight, self.error, self.taken_back_by = "Created", 0, 0.0, None, None
        self.waited, self.shifted, self.told_back = False, False, 0

    def goes_on(self):
        """One stage further."""
        group = self.group
        if self.status not in ACTIVE:
            return
        if self.rolls_back:
            if self.status == "Created":
                self.status = "InProgress"
                return
            self.rolls_back.weight = 0.0
            return self.ends("Succeeded")
        if self.status in ("Created", "Queued"):
            self.status = "InProgress"
        elif self.shifted:
            if self.group.wait == 0:
                self.blue_ends()
        elif EVENTS[self.event] == "BeforeAllowTraffic" and group.ready and not self.waited:
            self.status = "Ready"
        elif EVENTS[self.event] == "AllowTraffic":
            if self.weight == 100.0:
                self.event += 1
            else:
                self.weight = next(weight for weight in group.weights if weight > self.weight)
        elif self.event == len(EVENTS) - 1:
            self.shifted = True
            if group.platform == "Lambda":
                self.ends("Succeeded")
        else:
            self.event += 1
        if group.fails == EVENTS[self.event] and not self.shifted:
            self.fails("HEALTH_CONSTRAINTS", "the hook has failed")

    def ends(self, status):
        self.status, self.ended = status, time.time()

    def blue_ends(self):
        self.ends("Succeeded")
        self.group.blue_tasks = "STOPPING"

    def fails(self, code, message):
        self.error = {"code": code, "message": message}
        self.ends("Failed")
        self.take_back()

    def take_back(self):
        if self.weight > 0:
            back = Deployment(self.group, "CodeDeploy rollback", self)
            self.group.deployments.append(back)
            self.taken_back_by = back.id

    def info(self):
        told = {
            "applicationName": self.group.application,
            "deploymentGroupName": self.group.name,
            "deploymentId": self.id,
            "description": self.description,
            "status": self.status,
            "createTime": self.begun,
            "computePlatform": self.group.platform,
            # So it is on AWS as well, where this never becomes true.
            "instanceTerminationWaitTimeStarted": False,
        }
        if self.ended:
            told["completeTime"] = self.ended
        if self.error:
            told["errorInformation"] = self.error
        # It is told a moment after it has stopped.
        self.told_back += bool(self.taken_back_by)
        if self.told_back > 2:
            told["rollbackInfo"] = {"rollbackDeploymentId": self.taken_back_by}
        if self.rolls_back:
            told["rollbackInfo"] = {"rollbackTriggeringDeploymentId": self.rolls_back.id}
        return told

    def target(self):
        ended = self.status in ("Failed", "Stopped")
        state = lambda at: "Succeeded" if at < self.event or self.shifted else ("Failed" if ended else "InProgress") if at == self.event else ("Skipped" if ended else "Pending")
        # What is waited for has not begun.
        if self.status == "Ready":
            state = lambda at: "Succeeded" if at < self.event else "Pending"
        events = [{"lifecycleEventName": name, "status": state(at)} for at, name in enumerate(EVENTS)]
        status = "Succeeded" if self.shifted else "InProgress"
        common = {"deploymentId": self.id, "targetId": self.group.target, "status": status, "lifecycleEvents": events}
        if self.group.platform == "Lambda":
            info = {"functionName": "orders", "functionAlias": "live", "currentVersion": "1", "targetVersion": "2", "targetVersionWeight": 0.0 if ended else self.weight / 100}
            return {"deploymentTargetType": "LambdaTarget", "lambdaTarget": {**common, "lambdaFunctionInfo": info}}
        sets = [{"identifer": "ecs-svc/1", "status": "PRIMARY" if not self.shifted else "ACTIVE", "trafficWeight": 100 - self.weight, "runningCount": 1}]
        if self.event > 1:
            sets.append({"identifer": "ecs-svc/2", "status": "ACTIVE" if not self.shifted else "PRIMARY", "trafficWeight": self.weight, "runningCount": 1})
        if self.group.labels:
            for at, label in zip(sets, ("Blue", "Green")):
                at["taskSetLabel"] = label
        return {"deploymentTargetType": "ECSTarget", "ecsTarget": {**common, "taskSetsInfo": sets}}


class Group:
    """A deployment group."""

    def __init__(self, platform="ECS", ready=True, wait=60, weights=(10.0, 50.0, 100.0), fails=None, labels=True):
        self.platform, self.ready, self.wait, self.weights, self.fails, self.labels = platform, ready and platform == "ECS", wait, weights, fails, labels
        self.application, self.name, self.target = f"shop-{next(_number)}", "blue-green", "edge:shop"
        self.deployments, self.blue_tasks, self.page = [], "RUNNING", 2

    def info(self):
        told = {
            "applicationName": self.application,
            "deploymentGroupName": self.name,
            "serviceRoleArn": f"arn:aws:iam::{Scripted.account}:role/deploys",
            "computePlatform": self.platform,
            "blueGreenDeploymentConfiguration": {
                "deploymentReadyOption": {"actionOnTimeout": "STOP_DEPLOYMENT" if self.ready else "CONTINUE_DEPLOYMENT", "waitTimeInMinutes": 60},
                "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE", "terminationWaitTimeInMinutes": self.wait},
            },
            "ecsServices": [{"clusterName": "edge", "serviceName": "shop"}] if self.platform == "ECS" else [],
        }
        if self.deployments:
            last = self.deployments[-1]
            told["lastAttemptedDeployment"] = {"deploymentId": last.id, "status": last.status}
        done = [one for one in self.deployments if one.status == "Succeeded"]
        if done:
            told["lastSuccessfulDeployment"] = {"deploymentId": done[-1].id, "status": "Succeeded"}
        return told


class Service(Scripted):
    """Answers for every group."""

    def __init__(self):
        super().__init__()
        self.groups = {}

    def group(self, asked):
        group = self.groups.get(asked["applicationName"])
        if not group:
            raise Refused("ApplicationDoesNotExistException")
        if group.name != asked["deploymentGroupName"]:
            raise Refused("DeploymentGroupDoesNotExistException")
        return group

    def deployment(self, id):
        for group in self.groups.values():
            for one in group.deployments:
                if one.id == id:
                    return one
        raise Refused("DeploymentDoesNotExistException", f"there is no {id}")

    def GetDeploymentGroup(self, asked):
        return {"deploymentGroupInfo": self.group(asked).info()}

    def CreateDeployment(self, asked):
        group = self.group(asked)
        active = [one for one in group.deployments if one.status in ACTIVE]
        if active:
            raise Refused("DeploymentLimitExceededException", f"The Deployment Group already has an active Deployment '{active[0].id}'")
        content = asked["revision"]["appSpecContent"]
        assert asked["revision"]["revisionType"] == "AppSpecContent"
        assert hashlib.sha256(content["content"].encode()).hexdigest() == content["sha256"]
        assert asked["autoRollbackConfiguration"]["enabled"]
        one = Deployment(group, asked["description"])
        one.revision = content["content"]
        group.deployments.append(one)
        return {"deploymentId": one.id}

    def ListDeployments(self, asked):
        group = self.group(asked)
        assert asked["createTimeRange"]["start"] < time.time() - 24 * 3600
        ids, at = [one.id for one in reversed(group.deployments)], int(asked.get("nextToken") or 0)
        page = {"deployments": ids[at : at + group.page]}
        return {**page, "nextToken": str(at + group.page)} if at + group.page < len(ids) else page

    def BatchGetDeployments(self, asked):
        assert len(asked["deploymentIds"]) <= 25
        return {"deploymentsInfo": [self.deployment(id).info() for id in asked["deploymentIds"]]}

    def GetDeployment(self, asked):
        one = self.deployment(asked["deploymentId"])
        told = one.info()
        one.goes_on()
        return {"deploymentInfo": told}

    def ListDeploymentTargets(self, asked):
        one = self.deployment(asked["deploymentId"])
        if one.status == "Created":
            raise Refused("DeploymentNotStartedException")
        return {"targetIds": [one.group.target]}

    def BatchGetDeploymentTargets(self, asked):
        one = self.deployment(asked["deploymentId"])
        assert asked["targetIds"] == [one.group.target]
        return {"deploymentTargets": [one.target()]}

    def ContinueDeployment(self, asked):
        one, wait = self.deployment(asked["deploymentId"]), asked["deploymentWaitType"]
        if one.status not in ACTIVE:
            raise Refused("DeploymentAlreadyCompletedException")
        if wait == "READY_WAIT" and one.status == "Ready":
            one.status, one.waited = "InProgress", True
            one.event += 1
        elif wait == "TERMINATION_WAIT" and one.shifted:
            one.blue_ends()
        else:
            raise Refused("DeploymentIsNotInReadyStateException")
        return {}

    def StopDeployment(self, asked):
        one = self.deployment(asked["deploymentId"])
        if one.status not in ACTIVE:
            raise Refused("DeploymentAlreadyCompletedException")
        assert asked["autoRollbackEnabled"]
        one.error = {"code": "MANUAL_STOP", "message": "somebody stopped it"}
        one.ends("Stopped")
        one.take_back()
        return {"status": "Succeeded"}

    def ListTasks(self, asked):
        assert (asked["cluster"], asked["serviceName"]) == ("edge", "shop")
        # A task that is to stop is listed as such before it has.
        tasks = ["arn:green"] if asked["desiredStatus"] == "RUNNING" else []
        (group,) = [group for group in self.groups.values() if group.platform == "ECS" and group.deployments and group.deployments[-1].ended]
        if (group.blue_tasks == "RUNNING") == (asked["desiredStatus"] == "RUNNING"):
            tasks.append("arn:blue")
        return {"taskArns": tasks}

    def DescribeTasks(self, asked):
        (group,) = [group for group in self.groups.values() if group.platform == "ECS" and group.deployments and group.deployments[-1].ended]
        known = {
            "arn:green": {"startedBy": "ecs-svc/2", "lastStatus": "RUNNING"},
            "arn:blue": {"startedBy": "ecs-svc/1", "lastStatus": group.blue_tasks},
        }
        return {"tasks": [{"taskArn": arn, **known[arn]} for arn in asked["tasks"]]}


class Platform(Backend):
    """A deployment group as a release meets it."""

    kind, reads = "aws-codedeploy", "GetDeploymentGroup"
    error = staticmethod(scripted_error)
    drains_within = "4s"

    def __init__(self, trouble, **group):
        super().__init__(trouble)
        self.group = Group(**group)
        self.service = Service()
        self.service.groups[self.group.application] = self.group
        self.service.stands_before(trouble, "CodeDeploy_20141006", "AmazonEC2ContainerServiceV20141113")

    def settings(self, more=""):
        return (
            f'kind = "{self.kind}"\napplication = "{self.group.application}"\ndeployment-group = "{self.group.name}"\napp-spec = "appspec.yaml"\n{more}'
            + super().settings()
            + f'region = "{REGION}"\n'
        )

    def files(self, folder):
        (folder / "appspec.yaml").write_text("version: 0.0\nResources: []\n")

    def stop_blue(self):
        self.group.blue_tasks = "STOPPED"

    @property
    def own(self):
        """The deployments that were begun, without those that take one back."""
        return [one for one in self.group.deployments if not one.rolls_back]
