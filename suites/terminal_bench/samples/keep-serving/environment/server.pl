#!/usr/bin/perl
use strict;
use warnings;
use IO::Socket::INET;

my $server = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', LocalPort => 8000, Listen => 5, ReuseAddr => 1) or die "listen: $!";
my $client = $server->accept;
my $request = <$client>;
print $client "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhello\n";
close $client;
