// SPDX-License-Identifier: Apache-2.0
// Three faults and their harmless neighbours, so that the rules are shown to tell them apart.
Task<int> faults(int value) {
  auto bad = [value]() -> Task<int> { co_return value; };
  if (co_await ready()) {
    co_return 1;
  }
  for (int i = 0; co_await ready(); ++i) {
  }
  co_return 0;
}

Task<int> harmless(int values[4], int value) {
  auto plain = [](int v) -> Task<int> { co_return v; };
  auto not_a_coroutine = [value] { return value; };
  auto outer = [value] { return spawn([](int v) -> Task<int> { co_return v; }, value); };
  const char* text = "[value] { co_return 1; } if (co_await x)";  // [value] { co_await x; }
  const auto first = co_await ready();
  if (first) {
    co_return values[value];
  }
  co_return 0;
}
