"""Writes to Kubernetes with the write kubeconfig: what the agent's verbs are made of, and nothing more.

connection    one API server, asked once                 -> the answer, or the error tree
pods          eviction, and the logs saved before it     -> PodHands
deployments   template, scale                            -> DeploymentHands
nodes         cordon and uncordon                        -> NodeHands

Law: every write carries the resourceVersion it was judged at, and is sent once.
"""

from sre_agent.adapters.kubernetes.deployments import KubernetesDeploymentHands
from sre_agent.adapters.kubernetes.nodes import KubernetesNodeHands
from sre_agent.adapters.kubernetes.pods import KubernetesPodHands

__all__ = ["KubernetesDeploymentHands", "KubernetesNodeHands", "KubernetesPodHands"]
