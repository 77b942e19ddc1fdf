#include "kvstore/client.h"
#include "kvstore/kvclient.h"

const char* kvclient_version(void) { return kvstore::Version().data(); }

uint32_t kvclient_abi_version(void) { return KVCLIENT_ABI_VERSION; }
