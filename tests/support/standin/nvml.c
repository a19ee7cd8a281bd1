/* A stand-in for NVIDIA's management library (NVML) whose true energy is known.
 *
 * The power of every device is a square wave: HIGH_W and LOW_W in turn, each for half of PERIOD_S,
 * starting PHASE_S late, and reported with GAIN and OFFSET_W. The energy counter is the exact
 * integral of that wave, updated in ticks of TICK_S; it restarts from zero RESET_AT_S after loading.
 *
 * Settings come from the environment, so that one library serves every test. Their names are
 * STANDIN_ followed by one of the names above or by one of these:
 *   DEVICES       number of devices
 *   STAGGER_S     the counter of each device ticks this much later than the one before it
 *   FAIL_EVERY    every n-th reading fails with GPU_IS_LOST
 *   LOST_AFTER_S  after this time all readings fail
 *   SLOW_S        duration of each reading
 *   NO_COUNTER, NO_FIELDS  the counter or the power fields are not supported
 *   HBM_W, MODULE_W  constant watts of those scopes
 *   NAME          product name
 *   MIG           each device has one instance, MIG-<index>
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, LOST = 15 };
typedef struct { unsigned field, scope; long long timestamp, latency; unsigned type; int result;
                 union { double d; unsigned ui; unsigned long long ull; } value; } field_value;

static double setting(const char *name, double otherwise) {
    const char *text = getenv(name);
    return text ? atof(text) : otherwise;
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double loaded_s;
__attribute__((constructor)) static void loaded(void) { loaded_s = now_s(); }

static int calls;
static int failing(void) {
    int every = (int)setting("STANDIN_FAIL_EVERY", 0);
    double lost = setting("STANDIN_LOST_AFTER_S", 0), slow = setting("STANDIN_SLOW_S", 0);
    if (slow > 0) {
        struct timespec t = {(time_t)slow, (long)(fmod(slow, 1) * 1e9)};
        nanosleep(&t, NULL);
    }
    return (every && ++calls % every == 0) || (lost > 0 && now_s() - loaded_s > lost);
}

static double shown(double watts, double seconds) {
    return watts * setting("STANDIN_GAIN", 1) + setting("STANDIN_OFFSET_W", 0) * seconds;
}

static double power_w(double t) {
    double period = setting("STANDIN_PERIOD_S", 1);
    t -= setting("STANDIN_PHASE_S", 0);
    return shown(fmod(t, period) < period / 2 ? setting("STANDIN_HIGH_W", 400)
                                              : setting("STANDIN_LOW_W", 100), 1);
}

static double energy_j(double t) {
    t -= setting("STANDIN_PHASE_S", 0);
    double period = setting("STANDIN_PERIOD_S", 1), high = setting("STANDIN_HIGH_W", 400);
    double low = setting("STANDIN_LOW_W", 100), part = fmod(t, period), turns = floor(t / period);
    double within = part < period / 2 ? part * high : period / 2 * high + (part - period / 2) * low;
    return shown(turns * period / 2 * (high + low) + within, t);
}

int nvmlInitWithFlags(unsigned flags) { (void)flags; return OK; }
int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == LOST ? "GPU is lost" : "Not Supported"; }
int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = (unsigned)setting("STANDIN_DEVICES", 1);
    return OK;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(size_t)(index + 1);
    return OK;
}
int nvmlDeviceGetUUID(void *handle, char *text, unsigned length) {
    snprintf(text, length, "GPU-stand-in-%zu", (size_t)handle - 1);
    return OK;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned length) {
    (void)handle;
    const char *name = getenv("STANDIN_NAME");
    snprintf(text, length, "%s", name ? name : "Stand-in");
    return OK;
}
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *mj) {
    if (setting("STANDIN_NO_COUNTER", 0)) return NOT_SUPPORTED;
    if (failing()) return LOST;
    double tick = setting("STANDIN_TICK_S", 0.1), reset = setting("STANDIN_RESET_AT_S", 0);
    double late = ((size_t)handle - 1) * setting("STANDIN_STAGGER_S", 0);
    double then = floor((now_s() - late) / tick) * tick + late, from = 0;
    if (reset > 0 && then - loaded_s > reset) from = energy_j(loaded_s + reset);
    *mj = (unsigned long long)((energy_j(then) - from) * 1e3);
    return OK;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *mw) {
    (void)handle;
    if (failing()) return LOST;
    *mw = (unsigned)(power_w(now_s()) * 1e3);
    return OK;
}
int nvmlDeviceGetFieldValues(void *handle, int count, field_value *values) {
    (void)handle;
    if (failing()) return LOST;
    for (int i = 0; i < count; i++) {
        double scoped[] = {power_w(now_s()), setting("STANDIN_MODULE_W", -1),
                           setting("STANDIN_HBM_W", -1)};
        double watts = values[i].scope < 3 ? scoped[values[i].scope] : -1;
        int known = values[i].field == 186 && watts >= 0 && !setting("STANDIN_NO_FIELDS", 0);
        values[i].result = known ? OK : NOT_SUPPORTED;
        values[i].type = 1;
        values[i].value.ui = (unsigned)(watts * 1e3);
    }
    return OK;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    if (!setting("STANDIN_MIG", 0) || strncmp(uuid, "MIG-", 4)) return INVALID;
    *handle = (void *)(size_t)(1000 + atoi(uuid + 4));
    return OK;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *slice, void **handle) {
    *handle = (void *)((size_t)slice - 1000 + 1);
    return OK;
}
int nvmlDeviceGetArchitecture(void *handle, unsigned *architecture) {
    (void)handle;
    *architecture = 9; /* Hopper */
    return OK;
}
int nvmlSystemGetDriverVersion(char *text, unsigned length) {
    snprintf(text, length, "999.00");
    return OK;
}
int nvmlSystemGetNVMLVersion(char *text, unsigned length) {
    snprintf(text, length, "13.999.00");
    return OK;
}
int nvmlDeviceGetPowerManagementLimitConstraints(void *handle, unsigned *least, unsigned *most) {
    (void)handle;
    *least = 100000;
    *most = 700000;
    return OK;
}
int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *mw) {
    (void)handle;
    *mw = 700000;
    return OK;
}
int nvmlDeviceGetPowerManagementDefaultLimit(void *handle, unsigned *mw) {
    return nvmlDeviceGetEnforcedPowerLimit(handle, mw);
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    *version = 13000;
    return OK;
}
int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long *sizes) {
    (void)handle;
    sizes[0] = 80ull << 30; /* total, free, used */
    sizes[1] = 60ull << 30;
    sizes[2] = 20ull << 30;
    return OK;
}
int nvmlDeviceGetClockInfo(void *handle, int kind, unsigned *mhz) {
    (void)handle;
    (void)kind;
    *mhz = 1500;
    return OK;
}
int nvmlDeviceGetMaxClockInfo(void *handle, int kind, unsigned *mhz) {
    return nvmlDeviceGetClockInfo(handle, kind, mhz);
}
int nvmlSystemGetCudaDriverVersion(int *version) { return nvmlSystemGetCudaDriverVersion_v2(version); }
