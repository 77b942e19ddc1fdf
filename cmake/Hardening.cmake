# What a mistake in memory could do is made harder: a guard value on stacks, programs at random
# addresses, tables of the linker that are read-only before main (full RELRO), no executable stack.
# Sanitizers see more than the guard value does.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C CXX)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
if(NOT KVSTORE_SANITIZE)
  add_compile_options(-fstack-protector-strong)
endif()
