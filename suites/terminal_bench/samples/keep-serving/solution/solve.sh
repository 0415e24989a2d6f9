#!/bin/bash
cat > /app/server.pl <<'PERL'
#!/usr/bin/perl
use strict;
use warnings;
use IO::Socket::INET;

my $server = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', LocalPort => 8642, Listen => 5, ReuseAddr => 1) or die "listen: $!";
while (my $client = $server->accept) {
    my $request = <$client> // '';
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?$/ }
    my $found = $request =~ m{^GET /health(\s|$)};
    my $status = $found ? '200 OK' : '404 Not Found';
    my $body = $found ? "ok\n" : "not found\n";
    print $client "HTTP/1.0 $status\r\nContent-Type: text/plain\r\n\r\n$body";
    close $client;
}
PERL
nohup perl /app/server.pl > /app/server.out 2>&1 < /dev/null &
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    (: < /dev/tcp/127.0.0.1/8642) 2> /dev/null && exit 0
    sleep 0.2
done
