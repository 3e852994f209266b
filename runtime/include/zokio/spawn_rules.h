// SPDX-License-Identifier: Apache-2.0
#pragma once

// What may be handed to a task that can outlive its spawner, and what the compiler says about the
// rest. A task owns its callable and its arguments; a reference travels as std::ref, which says
// that somebody thought about its lifetime. tests/compile_fail holds the messages.

#include <concepts>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "zokio/task/task.h"

namespace zokio::internal {

// Refers to what somebody else owns.
template <class T>
inline constexpr bool is_borrowed_v = std::is_reference_v<T>;
template <class C, class Traits>
inline constexpr bool is_borrowed_v<std::basic_string_view<C, Traits>> = true;
template <class T, std::size_t N>
inline constexpr bool is_borrowed_v<std::span<T, N>> = true;
template <class T>
inline constexpr bool is_borrowed_v<std::initializer_list<T>> = true;
template <class... T>
inline constexpr bool is_borrowed_v<std::tuple<T...>> = (is_borrowed_v<T> || ...);
template <class A, class B>
inline constexpr bool is_borrowed_v<std::pair<A, B>> = is_borrowed_v<A> || is_borrowed_v<B>;

template <class A>
concept OwnedArg = !std::is_lvalue_reference_v<A> && !is_borrowed_v<std::remove_cvref_t<A>> &&
                   std::move_constructible<A>;

template <class F, class... A>
concept TaskCallable = is_task_v<std::invoke_result_t<F&, A...>>;

template <class F, class... A>
concept Spawnable = std::move_constructible<F> && TaskCallable<F, A...> && (OwnedArg<A> && ...);

// One fault of argument I, if it has one. A parameter that is T& does not take what the task owns.
template <std::size_t I, class A, class Parameter>
struct SpawnArgument {
  static constexpr bool kByReference = std::is_lvalue_reference_v<Parameter> &&
                                       !std::is_convertible_v<A, Parameter> &&
                                       std::is_convertible_v<A&, Parameter>;
};

// The text has to be a literal, so each position has its own.
#define ZOKIO_INTERNAL_SPAWN_ARGUMENT(N)                                                           \
  template <class A, class Parameter>                                                              \
  struct SpawnFault<N, A, Parameter> {                                                             \
    static_assert(!SpawnArgument<N, A, Parameter>::kByReference,                                   \
                  "zokio::spawn: argument " #N                                                     \
                  " is a reference; a task may outlive it. Pass a copy, std::move it, or "         \
                  "std::ref it if it outlives the task");                                          \
    static_assert(!is_borrowed_v<A>,                                                               \
                  "zokio::spawn: argument " #N                                                     \
                  " is a view (string_view, span, initializer_list, or references in a tuple); "   \
                  "a task may outlive what it refers to. Pass what owns the data: a std::string, " \
                  "a std::vector");                                                                \
    static_assert(std::move_constructible<A>,                                                      \
                  "zokio::spawn: argument " #N                                                     \
                  " cannot be moved into the task. Pass it in a std::unique_ptr, or std::ref it "  \
                  "if it outlives the task");                                                      \
  }
template <std::size_t I, class A, class Parameter>
struct SpawnFault {
  static_assert(OwnedArg<A> && !SpawnArgument<I, A, Parameter>::kByReference,
                "zokio::spawn: an argument is a reference, a view, or cannot be moved; a task owns "
                "its arguments");
};
ZOKIO_INTERNAL_SPAWN_ARGUMENT(1);
ZOKIO_INTERNAL_SPAWN_ARGUMENT(2);
ZOKIO_INTERNAL_SPAWN_ARGUMENT(3);
ZOKIO_INTERNAL_SPAWN_ARGUMENT(4);
ZOKIO_INTERNAL_SPAWN_ARGUMENT(5);
ZOKIO_INTERNAL_SPAWN_ARGUMENT(6);
#undef ZOKIO_INTERNAL_SPAWN_ARGUMENT

// The parameters of a callable, where it has one signature; a generic one keeps its secret.
template <class... P>
struct Parameters {
  template <std::size_t I>
  using At =
      std::conditional_t<(I < sizeof...(P)),
                         std::tuple_element_t<(I < sizeof...(P) ? I : 0), std::tuple<P..., void>>,
                         void>;
};
template <class F>
struct ParametersOf {
  using Type = Parameters<>;
};
template <class R, class... P>
struct ParametersOf<R (*)(P...)> {
  using Type = Parameters<P...>;
};
template <class R, class C, class... P>
struct ParametersOf<R (C::*)(P...) const> {
  using Type = Parameters<P...>;
};
template <class F>
  requires requires { &F::operator(); }
struct ParametersOf<F> : ParametersOf<decltype(&F::operator())> {};

// Where a call that is refused ends. Not a void, so that `auto h = spawn(...)` adds no second
// error.
struct Refused {};

template <class F, class... A, std::size_t... I>
constexpr void explain_arguments(std::index_sequence<I...>) {
  using P = typename ParametersOf<F>::Type;
  static_cast<void>(std::tuple<SpawnFault<I + 1, A, typename P::template At<I>>...>{});
}

// Says why F and A cannot be spawned. Requires: Spawnable<F, A...> does not hold.
template <class F, class... A>
constexpr void explain_spawn() {
  if constexpr (is_task_v<F>) {
    static_assert(!is_task_v<F>,
                  "zokio::spawn takes a callable and its arguments, not a Task: write spawn(f, "
                  "args...) instead of spawn(f(args...)), so that the task owns them. The captures "
                  "of a lambda that made the Task would be gone");
  } else if constexpr (!std::move_constructible<F>) {
    static_assert(std::move_constructible<F>,
                  "zokio::spawn: the callable cannot be moved into the task");
  } else if constexpr (!(OwnedArg<A> && ...)) {
    explain_arguments<F, A...>(std::index_sequence_for<A...>{});
  } else if constexpr (!std::invocable<F&, A...> && !std::invocable<F&, A&...>) {
    static_assert(std::invocable<F&, A...>,
                  "zokio::spawn: the callable cannot be called with these arguments");
  } else {
    explain_arguments<F, A...>(std::index_sequence_for<A...>{});
    if constexpr (std::invocable<F&, A...>)
      static_assert(is_task_v<std::invoke_result_t<F&, A...>>,
                    "zokio::spawn: the callable does not return a zokio::Task");
    else
      static_assert(std::invocable<F&, A...>,
                    "zokio::spawn: the callable takes an argument by reference, and the task may "
                    "outlive it. Take it by value, or pass std::ref if it outlives the task");
  }
}

}  // namespace zokio::internal
