/*
 * replay - runs a fuzz target over the files of its corpus
 *
 * Linked with one fuzz_X.c in place of the fuzzer's own main, so that every
 * input that once taught us something is tried again in each check, under the
 * sanitizers too. An empty corpus is a failure: it would test nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLAY_INPUT_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input stands in an allocation of exactly its size, so that a read past
 * its end is seen. */
static int
replay(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *room = NULL, *data = NULL;
	int result = -1;
	size_t n;

	if (f == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	if ((room = malloc(REPLAY_INPUT_MAX)) == NULL)
		goto out;
	n = fread(room, 1, REPLAY_INPUT_MAX, f);
	if (ferror(f) || (data = malloc(n > 0 ? n : 1)) == NULL) {
		fprintf(stderr, "%s: cannot be read\n", path);
		goto out;
	}
	memcpy(data, room, n);
	(void)LLVMFuzzerTestOneInput(data, n);
	result = 0;
out:
	free(data);
	free(room);
	(void)fclose(f);
	return result;
}

int
main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	int replayed = 0;

	for (int i = 1; i < argc; i++) {
		if (replay(argv[i]) == -1)
			return 1;
		replayed++;
	}
	printf("# fuzz %s: %d inputs replayed\n",
	    slash != NULL ? slash + 1 : argv[0], replayed);
	if (replayed == 0) {
		fprintf(stderr, "no input: the corpus is empty\n");
		return 1;
	}
	return 0;
}
