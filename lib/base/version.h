/*
 * version - what this is, for banners and `show status`
 */
#ifndef LIB_BASE_VERSION_H
#define LIB_BASE_VERSION_H

#define SPOOLKIT_VERSION "0.1"

#endif
