/* A stand-in for NVIDIA's management library (NVML) whose true energy is known.
 *
 * The power of every device is a square wave: HIGH_W and LOW_W in turn, each for half of PERIOD_S,
 * starting PHASE_S late, and reported with GAIN and OFFSET_W. The energy counter is the exact
 * integral of that wave, updated in ticks of TICK_S; it restarts from zero RESET_AT_S after loading.
 *
 * Settings come from the environment, so that one library serves every test. Their names are
 * STANDIN_ followed by one of the names above or by one of these. Moments (..._AT_S, ..._AFTER_S)
 * count from EPOCH_S, a moment of the monotonic clock, or else from loading.
 *   DEVICES       number of devices
 *   STAGGER_S     the counter of each device ticks this much later than the one before it
 *   FAIL_EVERY    every n-th reading fails with GPU_IS_LOST
 *   LOST_AFTER_S, BACK_AT_S  all readings fail from the first moment, until the second if it is set
 *   FIRST_AT_S    all readings fail before this moment
 *   SLOW_S        duration of each reading
 *   HANG_AT_S, HANG_FOR_S  a reading at this moment or later returns when that time is over (1 hour)
 *   DIP_AT_S, DIP_FOR_S, DIP_TO_J  the counter shows DIP_TO_J for that time, and then goes on
 *   JUMP_AT_S, JUMP_J  the counter shows so many joules more from this moment on
 *   BASE_J        joules that the counter shows beyond the energy since the clock began
 *   DELAY_S, AVERAGE_S, HOLD_S  power is the mean over AVERAGE_S that ended DELAY_S before the last
 *                 update, and there is an update every HOLD_S; all 0 for the power of the moment
 *   DUTY          share of PERIOD_S at HIGH_W (a half)
 *   LOAD          file of lines "moment watts", to which a program adds: in place of the wave, the
 *                 power from that moment of the monotonic clock on; LOW_W before the first of them
 *   LIMIT_W, MODULE_LIMIT_W  greatest power limit of each board (700) and of the module around it
 *   LIMITS        folder in which limits that are set are kept, a file a board, in milliwatts
 *   SET_FAILS     power limits cannot be set: 4 is for want of permission, 3 is not supported
 *   COUNTER_GAIN  the counter shows so many times the energy
 *   TEMPERATURE_C, SLOWED  temperature, and the bits of the reasons for the present clocks
 *   NO_COUNTER, NO_FIELDS  the counter or the power fields are not supported
 *   HBM_W, MODULE_W  constant watts of those scopes
 *   MODULE_ENERGY  field 191 counts the module too (1), or echoes the counter of the board (2)
 *   SAMPLE_S      the driver keeps the last KEPT samples of power (120), one every so many seconds
 *   NAME          product name; NAME_<index> is that of one device
 *   CORES_<index> cores of one device, 100 if not set
 *   MIG           each device is cut in that many instances, MIG-<device>[-<anything>]
 * A program that loads the library itself can answer in its place: standin_answer_with(callback).
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, INVALID = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, LOST = 15 };
typedef struct { unsigned field, scope; long long timestamp, latency; unsigned type; int result;
                 union { double d; unsigned ui; unsigned long long ull; } value; } field_value;

typedef struct { unsigned long long stamp; union { double d; unsigned ui; unsigned long long ull; }
                 value; } sample;

typedef struct { char legacy_id[16]; unsigned domain, bus, device, device_id, subsystem_id;
                 char bus_id[32]; } pci_info;

static double setting(const char *name, double otherwise) {
    const char *text = getenv(name);
    return text ? atof(text) : otherwise;
}

/* The setting of one device, NAME_<index>, or else of all, NAME. */
static const char *text_of(const char *name, void *handle) {
    char key[64];
    snprintf(key, sizeof key, "%s_%zu", name, (size_t)handle - 1);
    const char *text = getenv(key);
    return text ? text : getenv(name);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double loaded_s;
__attribute__((constructor)) static void loaded(void) { loaded_s = now_s(); }

/* Seconds since the moment from which the settings count. */
static double since_s(void) { return now_s() - setting("STANDIN_EPOCH_S", loaded_s); }

static void sleep_s(double seconds) {
    struct timespec t = {(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)};
    if (seconds > 0) nanosleep(&t, NULL);
}

/* Joules (COUNTER) or watts (the others) that a caller's own function answers; a value that is not
 * a number fails the reading, a negative infinity says that it is not supported. */
enum { COUNTER = 0, USAGE = 1, INSTANT = 2, MODULE = 3, MEMORY = 4 };
static double (*answer)(int device, int what);
void standin_answer_with(double (*callback)(int, int)) { answer = callback; }
static int answered(void *handle, int what, double *value) {
    *value = answer((int)(size_t)handle - 1, what);
    return isnan(*value) ? LOST : isinf(*value) && *value < 0 ? NOT_SUPPORTED : OK;
}

static int calls;
static int failing(void) {
    int every = (int)setting("STANDIN_FAIL_EVERY", 0);
    double first = setting("STANDIN_FIRST_AT_S", 0);
    double lost = setting("STANDIN_LOST_AFTER_S", 0), back = setting("STANDIN_BACK_AT_S", HUGE_VAL);
    double hang = setting("STANDIN_HANG_AT_S", 0), hung = setting("STANDIN_HANG_FOR_S", 3600);
    sleep_s(setting("STANDIN_SLOW_S", 0));
    if (hang > 0 && since_s() >= hang) sleep_s(hang + hung - since_s());
    return (every && ++calls % every == 0) || (first > 0 && since_s() < first)
        || (lost > 0 && since_s() > lost && since_s() < back);
}

static double shown(double watts, double seconds) {
    return watts * setting("STANDIN_GAIN", 1) + setting("STANDIN_OFFSET_W", 0) * seconds;
}

/* The steps of the load's file so far, each with the joules that LOW_W and they had drawn. */
enum { STEPS = 4096 };
static struct { double at, watts, joules; } steps[STEPS];
static int count;
static int follow_load(void) {
    static FILE *file;
    const char *name = getenv("STANDIN_LOAD");
    if (!name || (!file && !(file = fopen(name, "r")))) return name != NULL;
    char line[80];
    long start = ftell(file);
    for (clearerr(file); count < STEPS && fgets(line, sizeof line, file); start = ftell(file)) {
        if (!strchr(line, '\n')) break; /* not all of it is written yet */
        double at, watts, before = setting("STANDIN_LOW_W", 100);
        if (sscanf(line, "%lf %lf", &at, &watts) != 2) continue;
        double joules = at * before;
        if (count) joules = steps[count - 1].joules
                          + (at - steps[count - 1].at) * steps[count - 1].watts;
        steps[count].at = at;
        steps[count].watts = watts;
        steps[count++].joules = joules;
    }
    fseek(file, start, SEEK_SET);
    return 1;
}

/* The last step of the load before a moment; -1 if there is none. */
static int step_at(double t) {
    int i = count - 1;
    while (i >= 0 && steps[i].at > t) i--;
    return i;
}

static double energy_j(double t) {
    if (follow_load()) {
        int i = step_at(t);
        double low = setting("STANDIN_LOW_W", 100);
        return shown(i < 0 ? t * low : steps[i].joules + (t - steps[i].at) * steps[i].watts, t);
    }
    t -= setting("STANDIN_PHASE_S", 0);
    double period = setting("STANDIN_PERIOD_S", 1), high = setting("STANDIN_HIGH_W", 400);
    double low = setting("STANDIN_LOW_W", 100), up = period * setting("STANDIN_DUTY", 0.5);
    double part = fmod(t, period), turns = floor(t / period);
    double within = part < up ? part * high : up * high + (part - up) * low;
    return shown(turns * (up * high + (period - up) * low) + within, t);
}

static double power_w(double t) {
    double hold = setting("STANDIN_HOLD_S", 0), average = setting("STANDIN_AVERAGE_S", 0);
    if (hold > 0) t = floor(t / hold) * hold;
    t -= setting("STANDIN_DELAY_S", 0);
    if (average > 0) return (energy_j(t) - energy_j(t - average)) / average;
    if (follow_load()) {
        int i = step_at(t);
        return shown(i < 0 ? setting("STANDIN_LOW_W", 100) : steps[i].watts, 1);
    }
    double period = setting("STANDIN_PERIOD_S", 1);
    t -= setting("STANDIN_PHASE_S", 0);
    return shown(fmod(t, period) < period * setting("STANDIN_DUTY", 0.5)
                     ? setting("STANDIN_HIGH_W", 400) : setting("STANDIN_LOW_W", 100), 1);
}

/* Joules that the counter shows at a moment, faults included. */
static double counter_j(double t, void *handle) {
    double tick = setting("STANDIN_TICK_S", 0.1), reset = setting("STANDIN_RESET_AT_S", 0);
    double epoch = setting("STANDIN_EPOCH_S", loaded_s), dip = setting("STANDIN_DIP_AT_S", 0);
    double late = ((size_t)handle - 1) * setting("STANDIN_STAGGER_S", 0);
    double then = floor((t - late) / tick) * tick + late;
    double joules = energy_j(then) * setting("STANDIN_COUNTER_GAIN", 1) + setting("STANDIN_BASE_J", 0);
    if (reset > 0 && then - epoch > reset) joules = energy_j(then) - energy_j(epoch + reset);
    double jump = setting("STANDIN_JUMP_AT_S", 0);
    if (jump > 0 && then - epoch > jump) joules += setting("STANDIN_JUMP_J", 0);
    if (dip > 0 && t - epoch > dip && t - epoch < dip + setting("STANDIN_DIP_FOR_S", 1))
        joules = setting("STANDIN_DIP_TO_J", 0);
    return joules;
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
    const char *name = text_of("STANDIN_NAME", handle);
    snprintf(text, length, "%s", name ? name : "Stand-in");
    return OK;
}
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *mj) {
    double joules;
    if (answer) {
        int code = answered(handle, COUNTER, &joules);
        if (code) return code;
    } else {
        if (setting("STANDIN_NO_COUNTER", 0)) return NOT_SUPPORTED;
        if (failing()) return LOST;
        joules = counter_j(now_s(), handle);
    }
    *mj = (unsigned long long)(joules * 1e3);
    return OK;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *mw) {
    double watts;
    if (answer) {
        int code = answered(handle, USAGE, &watts);
        if (code) return code;
    } else {
        if (failing()) return LOST;
        watts = power_w(now_s());
    }
    *mw = (unsigned)(watts * 1e3);
    return OK;
}
int nvmlDeviceGetFieldValues(void *handle, int count, field_value *values) {
    if (!answer && failing()) return LOST;
    for (int i = 0; i < count; i++) {
        double scoped[] = {answer ? 0 : power_w(now_s()), setting("STANDIN_MODULE_W", -1),
                           setting("STANDIN_HBM_W", -1)};
        int scope = values[i].scope < 3 ? (int)values[i].scope : -1;
        double watts = scope < 0 ? -1 : scoped[scope];
        values[i].result = NOT_SUPPORTED;
        if (values[i].field == 186 && scope >= 0) {
            if (answer) values[i].result = answered(handle, INSTANT + scope, &watts);
            else if (watts >= 0 && !setting("STANDIN_NO_FIELDS", 0)) values[i].result = OK;
        }
        double limit = setting("STANDIN_MODULE_LIMIT_W", 0);
        if (values[i].field == 188 && scope == 1 && limit > 0) {
            watts = limit;
            values[i].result = OK;
        }
        values[i].type = 1;
        values[i].value.ui = (unsigned)(watts * 1e3);
        int energy = (int)setting("STANDIN_MODULE_ENERGY", 0);
        if (values[i].field == 191 && energy && scope >= 0 && scope < 2) {
            double tick = setting("STANDIN_TICK_S", 0.1), then = floor(now_s() / tick) * tick;
            double joules = scope && energy == 1 ? then * scoped[1] : counter_j(now_s(), handle);
            values[i].result = OK;
            values[i].type = 3;
            values[i].value.ull = (unsigned long long)(joules * 1e3);
        }
    }
    return OK;
}
/* Samples of total power (type 0) that are newer than `seen`, in microseconds since 1970. */
int nvmlDeviceGetSamples(void *handle, int type, unsigned long long seen, int *kind,
                         unsigned *count, sample *samples) {
    double period = setting("STANDIN_SAMPLE_S", 0);
    int kept = (int)setting("STANDIN_KEPT", 120);
    (void)handle;
    if (type != 0 || period <= 0) return NOT_SUPPORTED;
    if (failing()) return LOST;
    *kind = 1;
    if (samples == NULL) {
        *count = (unsigned)kept;
        return OK;
    }
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    double clock = t.tv_sec + t.tv_nsec * 1e-9, ahead = clock - now_s();
    unsigned filled = 0;
    for (long i = (long)floor(now_s() / period) - kept + 1; i <= (long)floor(now_s() / period); i++) {
        double then = i * period;
        unsigned long long stamp = (unsigned long long)((then + ahead) * 1e6);
        if (stamp <= seen || filled >= *count) continue;
        samples[filled].stamp = stamp;
        samples[filled++].value.ui = (unsigned)(power_w(then) * 1e3);
    }
    *count = filled;
    return filled ? OK : NOT_FOUND;
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
int nvmlDeviceGetMigMode(void *handle, unsigned *now, unsigned *pending) {
    (void)handle;
    *now = *pending = setting("STANDIN_MIG", 0) > 0;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
    (void)handle;
    *count = 7;
    return OK;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **slice) {
    *slice = (void *)(999 + (size_t)handle);
    return index < setting("STANDIN_MIG", 0) ? OK : NOT_FOUND;
}
int nvmlDeviceGetPciInfo_v3(void *handle, pci_info *info) {
    memset(info, 0, sizeof *info);
    info->bus = (unsigned)(size_t)handle;
    snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02X:00.0", info->bus);
    return OK;
}
int nvmlDeviceGetNumGpuCores(void *handle, unsigned *cores) {
    const char *text = text_of("STANDIN_CORES", handle);
    *cores = text ? (unsigned)atoi(text) : 100;
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
int nvmlDeviceGetPowerManagementDefaultLimit(void *handle, unsigned *mw) {
    (void)handle;
    *mw = (unsigned)(setting("STANDIN_LIMIT_W", 700) * 1e3);
    return OK;
}
int nvmlDeviceGetPowerManagementLimitConstraints(void *handle, unsigned *least, unsigned *most) {
    *least = 100000;
    return nvmlDeviceGetPowerManagementDefaultLimit(handle, most);
}
static FILE *limit_file(void *handle, const char *mode) {
    char path[4096];
    const char *folder = getenv("STANDIN_LIMITS");
    snprintf(path, sizeof path, "%s/%zu", folder ? folder : "/nonexistent", (size_t)handle - 1);
    return fopen(path, mode);
}
int nvmlDeviceGetPowerManagementLimit(void *handle, unsigned *mw) {
    FILE *file = limit_file(handle, "r");
    if (!file) return nvmlDeviceGetPowerManagementDefaultLimit(handle, mw);
    int read = fscanf(file, "%u", mw);
    fclose(file);
    return read == 1 ? OK : LOST;
}
int nvmlDeviceGetEnforcedPowerLimit(void *handle, unsigned *mw) {
    return nvmlDeviceGetPowerManagementLimit(handle, mw);
}
int nvmlDeviceSetPowerManagementLimit(void *handle, unsigned mw) {
    int code = (int)setting("STANDIN_SET_FAILS", 0);
    FILE *file = code ? NULL : limit_file(handle, "w");
    if (!file) return code ? code : NOT_SUPPORTED;
    fprintf(file, "%u", mw);
    fclose(file);
    return OK;
}
int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *degrees) {
    (void)handle;
    (void)sensor;
    *degrees = (unsigned)setting("STANDIN_TEMPERATURE_C", 55);
    return OK;
}
int nvmlDeviceGetCurrentClocksEventReasons(void *handle, unsigned long long *bits) {
    (void)handle;
    *bits = (unsigned long long)setting("STANDIN_SLOWED", 0);
    return OK;
}
int nvmlDeviceGetPersistenceMode(void *handle, unsigned *on) {
    (void)handle;
    *on = 1;
    return OK;
}
/* Power (policy 0) keeps the clocks down all the time if SLOWED has its bit. */
int nvmlDeviceGetViolationStatus(void *handle, int policy, unsigned long long *times) {
    (void)handle;
    times[0] = (unsigned long long)(now_s() * 1e6);
    times[1] = policy == 0 && ((int)setting("STANDIN_SLOWED", 0) & 4) ? times[0] * 1000 : 0;
    return OK;
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
