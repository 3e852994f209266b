// SPDX-License-Identifier: Apache-2.0
#pragma once

// Result<T>: a value or an Error. The only way an expected failure is reported.

#include <expected>
#include <utility>

#include "zokio/base/error.h"

namespace zokio {

template <class T = void>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Error e) {
  return std::unexpected<Error>(e);
}
inline std::unexpected<Error> fail(Errc code, const char* where, Detail detail = Detail::None) {
  return std::unexpected<Error>(Error(code, where, detail));
}
inline std::unexpected<Error> fail_errno(int err, const char* where) {
  return std::unexpected<Error>(Error::from_errno(err, where));
}

template <class T>
inline constexpr bool is_result_v = false;
template <class T>
inline constexpr bool is_result_v<Result<T>> = true;

// What a join yields: Result<T>, and a Result<U> as it is, so that errors do not nest.
namespace internal {
template <class T>
struct OutcomeOf {
  using type = Result<T>;
};
template <class U>
struct OutcomeOf<Result<U>> {
  using type = Result<U>;
};
}  // namespace internal
template <class T>
using Outcome = typename internal::OutcomeOf<T>::type;

}  // namespace zokio

#define ZOKIO_INTERNAL_CAT2(a, b) a##b
#define ZOKIO_INTERNAL_CAT(a, b) ZOKIO_INTERNAL_CAT2(a, b)

// ZOKIO_TRY(auto v, expr): declares v with the value of expr, or returns its error.
// Statement macros on purpose: a co_await inside a statement expression crashes some compilers.
#define ZOKIO_INTERNAL_TRY(ret, tmp, decl, ...)           \
  auto&& tmp = (__VA_ARGS__);                             \
  if (!tmp.has_value()) ret std::unexpected(tmp.error()); \
  decl = *std::move(tmp)
#define ZOKIO_TRY(decl, ...) \
  ZOKIO_INTERNAL_TRY(return, ZOKIO_INTERNAL_CAT(zokio_try_, __COUNTER__), decl, __VA_ARGS__)
#define ZOKIO_CO_TRY(decl, ...) \
  ZOKIO_INTERNAL_TRY(co_return, ZOKIO_INTERNAL_CAT(zokio_try_, __COUNTER__), decl, __VA_ARGS__)

// ZOKIO_CHECKED(expr): for Result<void>, or where the value is not wanted.
#define ZOKIO_INTERNAL_CHECKED(ret, tmp, ...)               \
  do {                                                      \
    auto&& tmp = (__VA_ARGS__);                             \
    if (!tmp.has_value()) ret std::unexpected(tmp.error()); \
  } while (false)
#define ZOKIO_CHECKED(...) \
  ZOKIO_INTERNAL_CHECKED(return, ZOKIO_INTERNAL_CAT(zokio_try_, __COUNTER__), __VA_ARGS__)
#define ZOKIO_CO_CHECKED(...) \
  ZOKIO_INTERNAL_CHECKED(co_return, ZOKIO_INTERNAL_CAT(zokio_try_, __COUNTER__), __VA_ARGS__)
