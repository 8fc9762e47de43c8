/*
 * folder - a folder of its own for each test: set up and tear down
 */
#ifndef UNIT_FOLDER_H
#define UNIT_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
folder_make(void **state)
{
	char path[] = "/tmp/spoolkit-unit.XXXXXX";

	*state = mkdtemp(path) == NULL ? NULL : strdup(path);
	return *state == NULL ? -1 : 0;
}

static int
folder_remove(void **state)
{
	char command[128];
	int rc;

	snprintf(command, sizeof(command), "rm -rf %s", (char *)*state);
	rc = system(command);
	free(*state);
	return rc;
}

#endif
