/* A stand-in for CUDA's driver library that only lists devices, by PCI address.
 *
 * STANDIN_CUDA_SHOWS holds the addresses in the order of CUDA's indexes, with spaces between them;
 * without it there is no device.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int listed(int wanted, char *address, int length) {
    char copy[1024];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", getenv("STANDIN_CUDA_SHOWS") ? getenv("STANDIN_CUDA_SHOWS") : "");
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        if (count++ == wanted) snprintf(address, (size_t)length, "%s", word);
    return count;
}

int cuInit(unsigned flags) { (void)flags; return listed(-1, NULL, 0) ? 0 : 100; }
int cuDeviceGetCount(int *count) { *count = listed(-1, NULL, 0); return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetPCIBusId(char *address, int length, int device) {
    listed(device, address, length);
    return 0;
}
