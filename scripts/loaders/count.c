// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says on standard error how many system calls bpf(2) a program has made, and the time that they have taken together. To be preloaded.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>

static unsigned long long nanoseconds;
static unsigned int calls;

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

long syscall(long number, ...)
{
	static long (*next)(long number, ...);
	unsigned long long start;
	long argument[6], result;
	va_list list;
	int i;

	if (!next)
		next = dlsym(RTLD_NEXT, "syscall");
	va_start(list, number);
	for (i = 0; i < 6; i++)
		argument[i] = va_arg(list, long);
	va_end(list);
	start = now();
	result = next(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
	if (number == SYS_bpf) {
		nanoseconds += now() - start;
		calls++;
	}
	return result;
}

__attribute__((destructor)) static void report(void)
{
	fprintf(stderr, "bpf(2): %u calls, %llu ns\n", calls, nanoseconds);
}
