/* A stand-in for NVIDIA's management library, with exact truth.
 *
 * Every device draws a square wave of power: LOW_W and HIGH_W in turn, each for half of PERIOD_S,
 * and its energy counter is the exact integral of that wave since the library was loaded, shown in
 * steps of TICK_S. Settings come from the environment, so that one library serves every test:
 * STANDIN_DEVICES, _LOW_W, _HIGH_W, _PERIOD_S, _TICK_S, _FAIL_EVERY (each n-th call says
 * GPU_IS_LOST), _NO_COUNTER, _NO_FIELDS.
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

static int calls;
static int failing(void) {
    int every = (int)setting("STANDIN_FAIL_EVERY", 0);
    return every && ++calls % every == 0;
}

static double power_w(double t) {
    double period = setting("STANDIN_PERIOD_S", 1);
    return fmod(t, period) < period / 2 ? setting("STANDIN_HIGH_W", 400) : setting("STANDIN_LOW_W", 100);
}

static double energy_j(double t) {
    double period = setting("STANDIN_PERIOD_S", 1), high = setting("STANDIN_HIGH_W", 400);
    double low = setting("STANDIN_LOW_W", 100), part = fmod(t, period), turns = floor(t / period);
    double within = part < period / 2 ? part * high : period / 2 * high + (part - period / 2) * low;
    return turns * period / 2 * (high + low) + within;
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
    snprintf(text, length, "Stand-in");
    return OK;
}
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *mj) {
    (void)handle;
    if (setting("STANDIN_NO_COUNTER", 0)) return NOT_SUPPORTED;
    if (failing()) return LOST;
    double tick = setting("STANDIN_TICK_S", 0.1);
    *mj = (unsigned long long)(energy_j(floor(now_s() / tick) * tick) * 1e3);
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
    for (int i = 0; i < count; i++) {
        int known = values[i].field == 186 && !setting("STANDIN_NO_FIELDS", 0);
        values[i].result = known ? OK : NOT_SUPPORTED;
        values[i].type = 1;
        values[i].value.ui = (unsigned)(power_w(now_s()) * 1e3);
    }
    return OK;
}
