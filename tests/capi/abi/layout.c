/* The frozen parts of kvstore/kvclient.h, as a C11 compiler sees them. A line here is only added:
   one that fails says that programs built against an older header would break. */
#include <stddef.h>

#include "kvstore/kvclient.h"

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has changed its size")
#define AT(type, field, offset) \
  _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")
#define NUMBER(name, value) _Static_assert((name) == (value), #name " has changed")

_Static_assert(sizeof(void*) == 8, "the numbers below are those of 64-bit systems");

SIZE(kvclient_key, 16);
AT(kvclient_key, data, 0);
AT(kvclient_key, size, 8);
SIZE(kvclient_piece, 16);
AT(kvclient_piece, data, 0);
AT(kvclient_piece, size, 8);
SIZE(kvclient_const_piece, 16);
AT(kvclient_const_piece, data, 0);
AT(kvclient_const_piece, size, 8);
SIZE(kvclient_put_item, 32);
AT(kvclient_put_item, key, 0);
AT(kvclient_put_item, pieces, 16);
AT(kvclient_put_item, piece_count, 24);
SIZE(kvclient_get_item, 48);
AT(kvclient_get_item, key, 0);
AT(kvclient_get_item, pieces, 16);
AT(kvclient_get_item, piece_count, 24);
AT(kvclient_get_item, offset, 32);
AT(kvclient_get_item, length, 40);
SIZE(kvclient_part_item, 40);
AT(kvclient_part_item, object, 0);
AT(kvclient_part_item, pieces, 8);
AT(kvclient_part_item, piece_count, 16);
AT(kvclient_part_item, offset, 24);
AT(kvclient_part_item, length, 32);
SIZE(kvclient_create_item, 24);
AT(kvclient_create_item, key, 0);
AT(kvclient_create_item, size, 16);

SIZE(kvclient_code, 4);
_Static_assert((kvclient_code)-1 < 0, "kvclient_code has lost its sign");
NUMBER(KVCLIENT_ABI_VERSION, 0);
NUMBER(KVCLIENT_OK, 0);
NUMBER(KVCLIENT_CANCELLED, 1);
NUMBER(KVCLIENT_INVALID_ARGUMENT, 3);
NUMBER(KVCLIENT_DEADLINE_EXCEEDED, 4);
NUMBER(KVCLIENT_NOT_FOUND, 5);
NUMBER(KVCLIENT_ALREADY_EXISTS, 6);
NUMBER(KVCLIENT_PERMISSION_DENIED, 7);
NUMBER(KVCLIENT_RESOURCE_EXHAUSTED, 8);
NUMBER(KVCLIENT_FAILED_PRECONDITION, 9);
NUMBER(KVCLIENT_ABORTED, 10);
NUMBER(KVCLIENT_UNIMPLEMENTED, 12);
NUMBER(KVCLIENT_INTERNAL, 13);
NUMBER(KVCLIENT_UNAVAILABLE, 14);
NUMBER(KVCLIENT_DATA_LOSS, 15);
NUMBER(KVCLIENT_UNAUTHENTICATED, 16);
NUMBER(KVCLIENT_TO_THE_END, 0);
NUMBER(KVCLIENT_WAY_LOCAL, 1);
NUMBER(KVCLIENT_WAY_SHM, 2);
NUMBER(KVCLIENT_WAY_TCP, 3);
NUMBER(KVCLIENT_WAY_RDMA, 4);
NUMBER(KVCLIENT_LOCAL_FIRST, 0);
NUMBER(KVCLIENT_SPREAD, 1);
NUMBER(KVCLIENT_THIS_HOST, 2);
NUMBER(KVCLIENT_MEMORY_HOST, 0);
NUMBER(KVCLIENT_MEMORY_CUDA, 1);
