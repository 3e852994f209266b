// SPDX-License-Identifier: Apache-2.0
//
// The I/O that workers without a reactor refer to and never call.
#include "io/driver.h"
#include "io/reactor.h"
#include "zokio/base/assert.h"

namespace zokio::io {

unsigned Reactor::turn(Instant) noexcept {
  ZOKIO_PANIC("no reactor here");
}
unsigned Reactor::poll(unsigned) noexcept {
  ZOKIO_PANIC("no reactor here");
}
void Reactor::wake() noexcept {
  ZOKIO_PANIC("no reactor here");
}
Result<Reactor*> Driver::open_reactor(unsigned, std::string_view) {
  ZOKIO_PANIC("no reactor here");
}
bool Driver::retire(unsigned) noexcept {
  ZOKIO_PANIC("no reactor here");
}
void Driver::close_reactor(Reactor&) noexcept {
  ZOKIO_PANIC("no reactor here");
}

}  // namespace zokio::io
