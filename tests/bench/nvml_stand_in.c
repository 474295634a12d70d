/* A stand-in for NVIDIA's management library: GPUs whose power is a known function of time, and whose sensors show
 * it as real ones do: a counter that steps and may publish late, a power reading that is refreshed now and then and
 * averages a part of the time only. The functions nvml* are the library's own interface; the functions standin_*
 * set the scene.
 *
 * Time is CLOCK_MONOTONIC, or whatever standin_time() was told last.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
enum { CONSTANT, SQUARE, SINE };
enum { MOST_GPUS = 4, MOST_FAILURES = 16, FIELD_POWER_INSTANT = 186 };

typedef struct {
    int index, kind, mig;
    double a_w, b_w, period_s, duty;    /* constant a; square from a to b; sine about a by b */
    double before_w, until_s;           /* another power, before some time */
    double step_s, late_s;              /* of the counter */
    double refresh_s, mean_s;           /* of the power reading */
    double throttled_s, stranger_s;     /* from when on */
    unsigned long long reasons;
    unsigned ours, stranger;            /* process ids, 0 for none */
} Gpu;

typedef struct { char name[64]; int code; double from_s; } Failure;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; } Process;
typedef struct {
    uint32_t field, scope;
    int64_t timestamp, latency;
    uint32_t type, code;
    union { double d; unsigned u; unsigned long long ull; } value;
} Field;

static Gpu gpus[MOST_GPUS];
static Gpu slices[MOST_GPUS];           /* one MIG instance on every GPU */
static Failure failures[MOST_FAILURES];
static int gpu_count, failure_count, init_code;
static double told_s = -1;
static long calls;

static double now_s(void)
{
    struct timespec now;
    if (told_s >= 0)
        return told_s;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

/* Joules from time 0 of the load alone. */
static double load_j(const Gpu *gpu, double t)
{
    double whole, rest;
    switch (gpu->kind) {
    case SQUARE:
        whole = floor(t / gpu->period_s);
        rest = t - whole * gpu->period_s;
        rest = whole * gpu->duty * gpu->period_s + fmin(rest, gpu->duty * gpu->period_s);
        return gpu->b_w * rest + gpu->a_w * (t - rest);
    case SINE:
        rest = 2 * M_PI / gpu->period_s;
        return gpu->a_w * t - gpu->b_w / rest * cos(rest * t);
    default:
        return gpu->a_w * t;
    }
}

static double energy_j(const Gpu *gpu, double t)
{
    if (t < gpu->until_s)
        return gpu->before_w * t;
    return gpu->before_w * gpu->until_s + load_j(gpu, t) - load_j(gpu, gpu->until_s);
}

static int trouble(const char *function)
{
    calls++;
    for (int n = 0; n < failure_count; n++)
        if (!strcmp(failures[n].name, function) && now_s() >= failures[n].from_s)
            return failures[n].code;
    return OK;
}

#define MAY_FAIL() do { int code = trouble(__func__); if (code) return code; } while (0)

/* --- setting the scene ----------------------------------------------------------------------------------------- */

void standin_reset(int count)
{
    memset(gpus, 0, sizeof gpus);
    gpu_count = count;
    failure_count = init_code = 0;
    for (int n = 0; n < MOST_GPUS; n++) {
        gpus[n] = (Gpu){.index = n, .a_w = 100, .step_s = 0.1, .refresh_s = 0.1, .mean_s = 0.025};
        gpus[n].throttled_s = gpus[n].stranger_s = INFINITY;
        slices[n] = gpus[n];
    }
}

void standin_time(double seconds) { told_s = seconds; }
void standin_init(int code) { init_code = code; }
void standin_mig(int n) { gpus[n].mig = 1; }
long standin_calls(void) { return calls; }
double standin_energy(int n, double t) { return energy_j(&gpus[n], t); }

void standin_load(int n, int kind, double a_w, double b_w, double period_s, double duty)
{
    gpus[n].kind = kind, gpus[n].a_w = a_w, gpus[n].b_w = b_w, gpus[n].period_s = period_s, gpus[n].duty = duty;
}

void standin_before(int n, double before_w, double until_s)
{
    gpus[n].before_w = before_w, gpus[n].until_s = until_s;
}

void standin_counter(int n, double step_s, double late_s) { gpus[n].step_s = step_s, gpus[n].late_s = late_s; }

void standin_throttle(int n, unsigned long long reasons, double from_s)
{
    gpus[n].reasons = reasons, gpus[n].throttled_s = from_s;
}

void standin_processes(int n, unsigned ours, unsigned stranger, double from_s)
{
    gpus[n].ours = ours, gpus[n].stranger = stranger, gpus[n].stranger_s = from_s;
}

void standin_fail(const char *function, int code, double from_s)
{
    Failure *failure = &failures[failure_count++];
    snprintf(failure->name, sizeof failure->name, "%s", function);
    failure->code = code, failure->from_s = from_s;
}

/* --- the library's interface ----------------------------------------------------------------------------------- */

int nvmlInitWithFlags(unsigned flags) { (void)flags; return init_code; }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { (void)code; return "an error of the stand-in"; }

int nvmlSystemGetDriverVersion(char *text, unsigned length)
{
    snprintf(text, length, "999.1");
    return OK;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    MAY_FAIL();
    *count = gpu_count;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Gpu **gpu)
{
    if ((int)index >= gpu_count)
        return INVALID;
    *gpu = &gpus[index];
    return OK;
}

int nvmlDeviceGetUUID(Gpu *gpu, char *text, unsigned length)
{
    int slice = gpu >= slices && gpu < slices + MOST_GPUS;
    snprintf(text, length, "%s-0000000%d-aaaa-bbbb-cccc-0123456789ab", slice ? "MIG" : "GPU", gpu->index);
    return OK;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, Gpu **gpu)
{
    char own[96];
    for (int n = 0; n < gpu_count; n++) {
        nvmlDeviceGetUUID(&gpus[n], own, sizeof own);
        if (!strcmp(own, uuid))
            return *gpu = &gpus[n], OK;
        nvmlDeviceGetUUID(&slices[n], own, sizeof own);
        if (gpus[n].mig && !strcmp(own, uuid))
            return *gpu = &slices[n], OK;
    }
    return NOT_FOUND;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(Gpu *slice, Gpu **gpu)
{
    if (slice < slices || slice >= slices + MOST_GPUS)
        return INVALID;
    *gpu = &gpus[slice->index];
    return OK;
}

int nvmlDeviceGetMigMode(Gpu *gpu, unsigned *current, unsigned *pending)
{
    MAY_FAIL();
    *current = *pending = gpu->mig;
    return OK;
}

int nvmlDeviceGetName(Gpu *gpu, char *text, unsigned length)
{
    (void)gpu;
    snprintf(text, length, "Stand-in GPU");
    return OK;
}

int nvmlDeviceGetMemoryInfo(Gpu *gpu, Memory *memory)
{
    (void)gpu;
    MAY_FAIL();
    *memory = (Memory){8ull << 30, 6ull << 30, 2ull << 30};
    return OK;
}

int nvmlDeviceGetTotalEnergyConsumption(Gpu *gpu, unsigned long long *millijoules)
{
    MAY_FAIL();
    double published_s = floor((now_s() - gpu->late_s) / gpu->step_s + 1e-9) * gpu->step_s;
    *millijoules = (unsigned long long)(energy_j(gpu, published_s) * 1e3 + 0.5);
    return OK;
}

static unsigned power_mw(const Gpu *gpu)
{
    double end_s = floor(now_s() / gpu->refresh_s + 1e-9) * gpu->refresh_s;
    return (unsigned)((energy_j(gpu, end_s) - energy_j(gpu, end_s - gpu->mean_s)) / gpu->mean_s * 1e3 + 0.5);
}

int nvmlDeviceGetPowerUsage(Gpu *gpu, unsigned *milliwatts)
{
    MAY_FAIL();
    *milliwatts = power_mw(gpu);
    return OK;
}

int nvmlDeviceGetFieldValues(Gpu *gpu, int count, Field *fields)
{
    MAY_FAIL();
    for (int n = 0; n < count; n++) {
        fields[n].code = fields[n].field == FIELD_POWER_INSTANT ? trouble("POWER_INSTANT") : NOT_SUPPORTED;
        fields[n].type = 1;
        fields[n].value.u = power_mw(gpu);
    }
    return OK;
}

int nvmlDeviceGetCudaComputeCapability(Gpu *gpu, int *major, int *minor)
{
    (void)gpu;
    *major = 8, *minor = 0;
    return OK;
}

int nvmlDeviceGetEnforcedPowerLimit(Gpu *gpu, unsigned *milliwatts)
{
    (void)gpu;
    MAY_FAIL();
    *milliwatts = 700000;
    return OK;
}

int nvmlDeviceGetPersistenceMode(Gpu *gpu, unsigned *mode)
{
    (void)gpu;
    *mode = 1;
    return OK;
}

int nvmlDeviceGetClockInfo(Gpu *gpu, unsigned type, unsigned *megahertz)
{
    MAY_FAIL();
    *megahertz = type == 2 ? 2600 : now_s() >= gpu->throttled_s ? 1200 : 1980;
    return OK;
}

int nvmlDeviceGetTemperature(Gpu *gpu, unsigned sensor, unsigned *celsius)
{
    (void)sensor;
    MAY_FAIL();
    *celsius = now_s() >= gpu->throttled_s ? 85 : 60;
    return OK;
}

int nvmlDeviceGetCurrentClocksEventReasons(Gpu *gpu, unsigned long long *reasons)
{
    MAY_FAIL();
    *reasons = now_s() >= gpu->throttled_s ? gpu->reasons : 0;
    return OK;
}

int nvmlDeviceGetUtilizationRates(Gpu *gpu, Utilization *use)
{
    (void)gpu;
    MAY_FAIL();
    *use = (Utilization){97, 40};
    return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(Gpu *gpu, unsigned *count, Process *processes)
{
    MAY_FAIL();
    unsigned there[2], found = 0;
    if (gpu->ours)
        there[found++] = gpu->ours;
    if (gpu->stranger && now_s() >= gpu->stranger_s)
        there[found++] = gpu->stranger;
    if (*count < found)
        return *count = found, INSUFFICIENT_SIZE;
    *count = found;
    for (unsigned n = 0; n < found; n++)
        processes[n] = (Process){there[n], 1ull << 30, 0, 0};
    return OK;
}
