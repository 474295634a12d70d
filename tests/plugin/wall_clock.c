/* The system's time, set back by as many seconds as the file named by WALL_CLOCK_BACK says; no other clock. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    const char *path = getenv("WALL_CLOCK_BACK");
    FILE *file = clock == CLOCK_REALTIME && path ? fopen(path, "r") : NULL;
    long back = 0;
    if (file) {
        if (fscanf(file, "%ld", &back) == 1)
            now->tv_sec -= back;
        fclose(file);
    }
    return result;
}
