// SPDX-License-Identifier: Apache-2.0
void poll() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::this_thread::sleep_for(1ms);
}
