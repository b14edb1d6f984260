"""Names of WaferScope's telemetry, generated from the semantic-convention registry; don't edit."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the registry; `boundaries` are the bounds of a histogram's buckets, without +Inf."""

    name: str
    instrument: str
    unit: str
    brief: str
    boundaries: tuple[float, ...] = ()


SCHEMA_URL: Final = "https://waferscope.github.io/schemas/0.1.0"
VERSION: Final = "0.1.0"

# Attributes that the registry defines

WAFER_EQUIPMENT_ID: Final = "wafer.equipment.id"
"""Identifier of the equipment."""

WAFER_EQUIPMENT_STATE: Final = "wafer.equipment.state"
"""State of the equipment by SEMI E10."""

WAFER_EQUIPMENT_STATE_REASON: Final = "wafer.equipment.state_reason"
"""Why the equipment entered its state, as its operator or controller says it."""

WAFER_EQUIPMENT_EPT_STATE: Final = "wafer.equipment.ept_state"
"""State of the equipment or module in performance tracking by SEMI E116."""

WAFER_MODULE_ID: Final = "wafer.module.id"
"""Identifier of a module of the equipment."""

WAFER_MODULE_PROCESS_STATE: Final = "wafer.module.process_state"
"""State of the process in a module by SEMI E157."""

WAFER_LOAD_PORT_ID: Final = "wafer.load_port.id"
"""Identifier of the equipment's load port."""

WAFER_JOB_ID: Final = "wafer.job.id"
"""Identifier of a job, the same over all of its attempts."""

WAFER_JOB_NAME: Final = "wafer.job.name"
"""Name of what the job does; one of few, fit for a metric's attribute."""

WAFER_JOB_ATTEMPT: Final = "wafer.job.attempt"
"""Number of the attempt at this job, from 1."""

WAFER_JOB_PARENT_ID: Final = "wafer.job.parent.id"
"""Identifier of the job that this job is a part of."""

WAFER_JOB_STATUS: Final = "wafer.job.status"
"""Where a job stands, derived where its telemetry is read."""

WAFER_JOB_RESULT: Final = "wafer.job.result"
"""How a job ended."""

WAFER_JOB_RESULT_REASON: Final = "wafer.job.result_reason"
"""Why the job ended as it did, in the words of whoever declared it."""

WAFER_JOB_QUEUE_TIME: Final = "wafer.job.queue.time"
"""Seconds between the request for the job and its start."""

WAFER_JOB_SEQUENCE: Final = "wafer.job.sequence"
"""Number of an event within its attempt, from 0 for `wafer.job.started`."""

WAFER_JOB_HEARTBEAT_INTERVAL: Final = "wafer.job.heartbeat.interval"
"""Seconds between heartbeats that the job promises."""

WAFER_JOB_ELAPSED: Final = "wafer.job.elapsed"
"""Seconds since the job's start by its monotonic clock."""

WAFER_JOB_PROGRESS_DONE: Final = "wafer.job.progress.done"
"""Units of work that are done."""

WAFER_JOB_PROGRESS_TOTAL: Final = "wafer.job.progress.total"
"""Units of work in all."""

WAFER_JOB_CPU_USER: Final = "wafer.job.cpu.user"
"""Seconds of CPU time in user mode since the job's start."""

WAFER_JOB_CPU_SYSTEM: Final = "wafer.job.cpu.system"
"""Seconds of CPU time in system mode since the job's start."""

WAFER_JOB_MEMORY_CURRENT: Final = "wafer.job.memory.current"
"""Resident set of the job's process, in bytes."""

WAFER_JOB_MEMORY_MAX: Final = "wafer.job.memory.max"
"""Largest resident set of the job's process during the job, in bytes."""

WAFER_JOB_MEMORY_CHILDREN: Final = "wafer.job.memory.children"
"""Resident sets of the process's children that can be seen, added up, in bytes."""

WAFER_JOB_IO_READ: Final = "wafer.job.io.read"
"""Bytes that were read from storage since the job's start."""

WAFER_JOB_IO_WRITE: Final = "wafer.job.io.write"
"""Bytes that were written to storage since the job's start."""

WAFER_JOB_CONTEXT_SWITCHES_VOLUNTARY: Final = "wafer.job.context_switches.voluntary"
"""Times since the job's start that a thread gave up its CPU to wait."""

WAFER_JOB_CONTEXT_SWITCHES_INVOLUNTARY: Final = "wafer.job.context_switches.involuntary"
"""Times since the job's start that a thread lost its CPU to another."""

WAFER_JOB_GC_PAUSE: Final = "wafer.job.gc.pause"
"""Seconds since the job's start that the garbage collector held up the process."""

WAFER_JOB_GPU_MEMORY_CURRENT: Final = "wafer.job.gpu.memory.current"
"""Memory of GPUs that the job's process holds, in bytes."""

WAFER_JOB_GPU_MEMORY_MAX: Final = "wafer.job.gpu.memory.max"
"""Most memory of GPUs that the job's process held during the job, in bytes."""

WAFER_STEP_NAME: Final = "wafer.step.name"
"""Name of the step; one of few, fit for a metric's attribute."""

WAFER_STEP_INDEX: Final = "wafer.step.index"
"""Number of the step within its attempt, from 0."""

WAFER_STEP_RESULT: Final = "wafer.step.result"
"""How a step ended."""

WAFER_STEP_RESULT_REASON: Final = "wafer.step.result_reason"
"""Why the step ended as it did, in the words of whoever declared it."""

WAFER_LOT_ID: Final = "wafer.lot.id"
"""Identifier of the lot."""

WAFER_CARRIER_ID: Final = "wafer.carrier.id"
"""Identifier of the carrier."""

WAFER_SUBSTRATE_ID: Final = "wafer.substrate.id"
"""Identifier of the substrate, in most fabs a wafer."""

WAFER_SUBSTRATE_SLOT: Final = "wafer.substrate.slot"
"""Slot of the carrier that holds the substrate, from 1."""

WAFER_SUBSTRATE_LOCATION_ID: Final = "wafer.substrate.location.id"
"""Identifier of the place where the substrate is."""

WAFER_SUBSTRATE_LOCATION_STATE: Final = "wafer.substrate.location_state"
"""Where the substrate is on its way through the equipment, by SEMI E90."""

WAFER_SUBSTRATE_PROCESSING_STATE: Final = "wafer.substrate.processing_state"
"""What was done to the substrate, by SEMI E90."""

WAFER_APP_ID: Final = "wafer.app.id"
"""Identifier of the application that a job belongs to."""

WAFER_JOB_KEY: Final = "wafer.job.key"
"""Business key of the job."""

WAFER_JOB_SUB_KEY: Final = "wafer.job.sub_key"
"""Key of the subjob within its job."""

WAFER_RECIPE_ID: Final = "wafer.recipe.id"
"""Identifier of the recipe; one of few, fit for a metric's attribute."""

WAFER_RECIPE_VERSION: Final = "wafer.recipe.version"
"""Version of the recipe."""

WAFER_OPERATION_ID: Final = "wafer.operation.id"
"""Identifier of the operation in the lot's route."""

WAFER_PROCESS_JOB_ID: Final = "wafer.process_job.id"
"""Identifier of the equipment's process job (SEMI E40)."""

WAFER_PROCESS_JOB_STATE: Final = "wafer.process_job.state"
"""State of the process job by SEMI E40."""

WAFER_CONTROL_JOB_ID: Final = "wafer.control_job.id"
"""Identifier of the equipment's control job (SEMI E94)."""

WAFER_CONTROL_JOB_STATE: Final = "wafer.control_job.state"
"""State of the control job by SEMI E94."""

WAFER_SITE_ID: Final = "wafer.site.id"
"""Identifier of the site."""

WAFER_TELEMETRY_SIGNAL: Final = "wafer.telemetry.signal"
"""The kind of telemetry."""

WAFER_TELEMETRY_BOUNDARY: Final = "wafer.telemetry.boundary"
"""Where in the wrapper a fault was held back from the job; one of few."""

# Attributes of OpenTelemetry's own registry that go with them

CODE_FILE_PATH: Final = "code.file.path"
CODE_FUNCTION_NAME: Final = "code.function.name"
CODE_LINE_NUMBER: Final = "code.line.number"
ERROR_TYPE: Final = "error.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
EXCEPTION_TYPE: Final = "exception.type"
HOST_NAME: Final = "host.name"
PROCESS_EXIT_CODE: Final = "process.exit.code"
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"


class EquipmentState:
    """Values of `wafer.equipment.state`. State of the equipment by SEMI E10."""

    PRODUCTIVE: Final = "PRD"
    """Productive."""

    STANDBY: Final = "SBY"
    """Standby."""

    ENGINEERING: Final = "ENG"
    """Engineering."""

    SCHEDULED_DOWN: Final = "SDT"
    """Scheduled down."""

    UNSCHEDULED_DOWN: Final = "UDT"
    """Unscheduled down."""

    NON_SCHEDULED: Final = "NST"
    """Non-scheduled."""


class EquipmentEptState:
    """Values of `wafer.equipment.ept_state`. State of the equipment or module in performance tracking by SEMI E116."""

    IDLE: Final = "Idle"
    """No task runs."""

    BUSY: Final = "Busy"
    """A task runs."""

    BLOCKED: Final = "Blocked"
    """A task is kept from running."""


class ModuleProcessState:
    """Values of `wafer.module.process_state`. State of the process in a module by SEMI E157."""

    NOT_EXECUTING: Final = "NotExecuting"
    """No recipe executes."""

    GENERAL_EXECUTION: Final = "GeneralExecution"
    """A recipe executes outside of its steps."""

    STEP_ACTIVE: Final = "StepActive"
    """A step of the recipe executes."""


class JobStatus:
    """Values of `wafer.job.status`. Where a job stands, derived where its telemetry is read."""

    RUNNING: Final = "running"
    """Heartbeats arrive."""

    STALE: Final = "stale"
    """No heartbeat for 3 intervals."""

    LOST: Final = "lost"
    """No heartbeat for 30 intervals."""

    UNREACHABLE: Final = "unreachable"
    """Silent, and so is the job's host, which has sent host metrics before."""

    SUCCEEDED: Final = "succeeded"
    """Ended with the result success."""

    FAILED: Final = "failed"
    """Ended with the result failure."""

    CANCELED: Final = "canceled"
    """Ended with the result cancellation."""

    SKIPPED: Final = "skipped"
    """Ended with the result skip."""


class JobResult:
    """Values of `wafer.job.result`. How a job ended."""

    SUCCESS: Final = "success"
    """The job did what it was asked to do."""

    FAILURE: Final = "failure"
    """The job raised an error or declared its failure."""

    CANCELLATION: Final = "cancellation"
    """The job was told to stop."""

    SKIP: Final = "skip"
    """The job found nothing to do."""


class StepResult:
    """Values of `wafer.step.result`. How a step ended."""

    SUCCESS: Final = "success"
    """The step did what it was asked to do."""

    FAILURE: Final = "failure"
    """The step raised an error or declared its failure."""

    CANCELLATION: Final = "cancellation"
    """The step was told to stop."""

    SKIP: Final = "skip"
    """The step found nothing to do."""


class SubstrateLocationState:
    """Values of `wafer.substrate.location_state`. Where the substrate is on its way through the equipment, by SEMI E90."""

    AT_SOURCE: Final = "AtSource"
    """Where it came from."""

    AT_WORK: Final = "AtWork"
    """Inside the equipment."""

    AT_DESTINATION: Final = "AtDestination"
    """Where it was to go."""


class SubstrateProcessingState:
    """Values of `wafer.substrate.processing_state`. What was done to the substrate, by SEMI E90."""

    NEEDS_PROCESSING: Final = "NeedsProcessing"
    """Still to be processed."""

    IN_PROCESS: Final = "InProcess"
    """Being processed."""

    PROCESSED: Final = "Processed"
    """Processed to the end."""

    ABORTED: Final = "Aborted"
    """Processing was aborted."""

    STOPPED: Final = "Stopped"
    """Processing was stopped."""

    REJECTED: Final = "Rejected"
    """Processed and found bad."""

    LOST: Final = "Lost"
    """The equipment lost track of it."""

    SKIPPED: Final = "Skipped"
    """Left out."""


class ProcessJobState:
    """Values of `wafer.process_job.state`. State of the process job by SEMI E40."""

    QUEUED_OR_POOLED: Final = "QueuedOrPooled"
    """Waits for its turn."""

    SETTING_UP: Final = "SettingUp"
    """The equipment prepares for it."""

    WAITING_FOR_START: Final = "WaitingForStart"
    """Prepared; waits for the command to start."""

    PROCESSING: Final = "Processing"
    """Material is processed."""

    PROCESS_COMPLETE: Final = "ProcessComplete"
    """All material is processed."""

    PAUSING: Final = "Pausing"
    """On the way to Paused."""

    PAUSED: Final = "Paused"
    """Paused."""

    STOPPING: Final = "Stopping"
    """On the way to Stopped."""

    ABORTING: Final = "Aborting"
    """On the way to Aborted."""

    STOPPED: Final = "Stopped"
    """Ended early in an orderly way."""

    ABORTED: Final = "Aborted"
    """Ended at once."""


class ControlJobState:
    """Values of `wafer.control_job.state`. State of the control job by SEMI E94."""

    QUEUED: Final = "Queued"
    """Waits for its turn."""

    SELECTED: Final = "Selected"
    """Next in turn; waits for its material."""

    WAITING_FOR_START: Final = "WaitingForStart"
    """Ready; waits for the command to start."""

    EXECUTING: Final = "Executing"
    """Its process jobs run."""

    PAUSED: Final = "Paused"
    """No further process job is started."""

    COMPLETED: Final = "Completed"
    """Ended."""


class TelemetrySignal:
    """Values of `wafer.telemetry.signal`. The kind of telemetry."""

    SPANS: Final = "spans"
    """Spans of jobs and steps."""

    EVENTS: Final = "events"
    """Events of jobs, equipment, carriers and deployments."""

    LOGS: Final = "logs"
    """Log records."""

    METRICS: Final = "metrics"
    """Points of metrics."""


# Events

EVENT_WAFER_JOB_STARTED: Final = "wafer.job.started"
"""A job has begun."""

EVENT_WAFER_JOB_HEARTBEAT: Final = "wafer.job.heartbeat"
"""A job is still running."""

EVENT_WAFER_JOB_ENDED: Final = "wafer.job.ended"
"""A job has ended; its severity is ERROR after a failure."""

EVENT_WAFER_EQUIPMENT_STATE_CHANGED: Final = "wafer.equipment.state.changed"
"""Equipment has entered another E10 state."""

EVENT_WAFER_CARRIER_ARRIVED: Final = "wafer.carrier.arrived"
"""A carrier has arrived at equipment."""

EVENT_WAFER_CARRIER_DEPARTED: Final = "wafer.carrier.departed"
"""A carrier has left equipment."""

EVENT_WAFER_DEPLOYMENT: Final = "wafer.deployment"
"""A version of an application was put into service."""


# Metrics

METRIC_WAFER_JOB_DURATION: Final = Metric(
    name="wafer.job.duration",
    instrument="histogram",
    unit="s",
    brief="Duration of ended jobs.",
    boundaries=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 86400.0),
)

METRIC_WAFER_JOB_ERRORS: Final = Metric(
    name="wafer.job.errors",
    instrument="counter",
    unit="{error}",
    brief="Jobs that failed, by the kind of error.",
)

METRIC_WAFER_JOB_QUEUE_DURATION: Final = Metric(
    name="wafer.job.queue.duration",
    instrument="histogram",
    unit="s",
    brief="Time between the request for a job and its start.",
    boundaries=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 86400.0),
)

METRIC_WAFER_JOB_CPU_TIME: Final = Metric(
    name="wafer.job.cpu.time",
    instrument="counter",
    unit="s",
    brief="CPU time that jobs used, in user and system mode together.",
)

METRIC_WAFER_JOB_MEMORY_PEAK: Final = Metric(
    name="wafer.job.memory.peak",
    instrument="histogram",
    unit="By",
    brief="Largest resident set of a job's process during the job.",
    boundaries=(1048576.0, 2097152.0, 4194304.0, 8388608.0, 16777216.0, 33554432.0, 67108864.0, 134217728.0, 268435456.0, 536870912.0, 1073741824.0, 2147483648.0, 4294967296.0, 8000000000.0, 8589934592.0, 17179869184.0, 34359738368.0, 68719476736.0, 137438953472.0, 274877906944.0),
)

METRIC_WAFER_STEP_DURATION: Final = Metric(
    name="wafer.step.duration",
    instrument="histogram",
    unit="s",
    brief="Duration of ended steps.",
    boundaries=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 86400.0),
)

METRIC_WAFER_SUBSTRATE_PROCESSED: Final = Metric(
    name="wafer.substrate.processed",
    instrument="counter",
    unit="{substrate}",
    brief="Substrates that jobs have dealt with.",
)

METRIC_WAFER_TELEMETRY_DROPPED: Final = Metric(
    name="wafer.telemetry.dropped",
    instrument="counter",
    unit="{record}",
    brief="Telemetry that a process could not deliver and gave up.",
)

METRIC_WAFER_TELEMETRY_FAULTS: Final = Metric(
    name="wafer.telemetry.faults",
    instrument="counter",
    unit="{fault}",
    brief="Faults inside the wrapper that were held back from the job.",
)

METRIC_WAFER_JOB_RUNS: Final = Metric(
    name="wafer.job.runs",
    instrument="gauge",
    unit="{job}",
    brief="Runs that have not ended, by status; lost ones for 24 h.",
)

METRIC_WAFER_JOB_RUNNING_AGE: Final = Metric(
    name="wafer.job.running.age",
    instrument="gauge",
    unit="s",
    brief="Time since the start of the oldest running job.",
)

METRIC_WAFER_EQUIPMENT_STATE_TIME: Final = Metric(
    name="wafer.equipment.state.time",
    instrument="counter",
    unit="s",
    brief="Time that equipment has spent in each E10 state.",
)

METRIC_WAFER_CARRIER_DWELL_DURATION: Final = Metric(
    name="wafer.carrier.dwell.duration",
    instrument="histogram",
    unit="s",
    brief="Time between a carrier's arrival at equipment and its departure.",
    boundaries=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 43200.0, 86400.0),
)

METRIC_WAFER_CLOCK_OFFSET: Final = Metric(
    name="wafer.clock.offset",
    instrument="gauge",
    unit="s",
    brief="How far a host's clock is behind the site's.",
)
