// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program with a skeleton, as people make them: sets constants, loads, attaches, and says what the kernel found out about the
 * signature.
 *
 *	tool [NAME=VALUE | -PROGRAM]...
 *
 * -PROGRAM leaves a program out. Compiled for each skeleton, whose header is included: SKELETON is the skeleton's name, CONSTANTS
 * calls CONSTANT for each constant that can be set.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define CALL(name) JOIN(SKELETON, __##name)

static int set(struct SKELETON *skeleton, const char *name, size_t length, const char *value)
{
	char *end = NULL;

	errno = 0;
#define CONSTANT(constant)							\
	if (strlen(#constant) == length && !strncmp(#constant, name, length))	\
		skeleton->rodata->constant =					\
			*value == '-' ? strtoll(value, &end, 10) : strtoull(value, &end, 10);
	CONSTANTS
#undef CONSTANT
	return end && end != value && !*end && !errno ? 0 : -1;
}

static int leave_out(struct SKELETON *skeleton, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(skeleton->obj, name);

	return program ? bpf_program__set_autoload(program, false) : -1;
}

/* What the kernel says of all programs that were loaded: that of the first that differs counts. */
static const char *verdict(struct SKELETON *skeleton)
{
	static const char *const words[] = { "unsigned", "verified", "granted" };
	struct bpf_program *program;
	int first = -1;

	bpf_object__for_each_program(program, skeleton->obj) {
		int now;

		if (bpf_program__fd(program) < 0)
			continue;
		now = bpf_program__sig_verdict(program);
		if (now == -EOPNOTSUPP)
			now = 0;
		if (now < 0 || now > 2)
			return "unknown";
		if (first >= 0 && now != first)
			return "mixed";
		first = now;
	}
	return first < 0 ? "nothing is loaded" : words[first];
}

int main(int argc, char **argv)
{
	struct SKELETON *skeleton = CALL(open)();
	int i, error = 0;

	if (!skeleton) {
		perror("opening");
		return 1;
	}
	for (i = 1; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');

		if (equals)
			error = set(skeleton, argv[i], equals - argv[i], equals + 1);
		else
			error = argv[i][0] == '-' ? leave_out(skeleton, argv[i] + 1) : -1;
		if (error) {
			fprintf(stderr, "%s: no constant with such a value, and no program\n", argv[i]);
			goto out;
		}
	}
	error = CALL(load)(skeleton);
	if (error) {
		fprintf(stderr, "loading: %s\n", strerror(-error));
		goto out;
	}
	error = CALL(attach)(skeleton);
	if (error) {
		fprintf(stderr, "attaching: %s\n", strerror(-error));
		goto out;
	}
	puts(verdict(skeleton));
out:
	CALL(destroy)(skeleton);
	return error ? 1 : 0;
}
