"""The hands on BullMQ queues: two scripts, and who sends them. Law: one flag and its event, never a job."""

from sre_agent.adapters.bullmq.writer import QueueWriter

__all__ = ["QueueWriter"]
